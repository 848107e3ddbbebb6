"""What a parameter finds is what its official expression selects: a law over generated resources.

The expressions of R4's SearchParameter definitions are read beside this project (../shared); without them there is
nothing to compare with. The evaluator here knows nothing of the registry's paths.
Source: https://hl7.org/fhir/R4/searchparameter-registry.html, https://hl7.org/fhir/R4/search.html#missing.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_rules.visibility import AccessFacts
from fhir_server.application.core.search_index import facts_of
from fhir_server.domain.search.values import criterion
from fhir_server.registry import REGISTRY
from tests.r4.bodies import BODIES

FACTS = Path(__file__).parents[3] / "shared/reference/fhir/search_parameters.json"
BASE = "https://habilis.example/fhir"
WHERE = re.compile(r"(\w+)\.where\((\w+)='(\w+)'\)")
TEXTS = {"text", "family", "prefix", "suffix", "city", "district", "state", "postalCode", "country"}
LONGEST = 40
"""Letters of a text that a search by its beginning takes."""
ROWS = [row for name, row in REGISTRY.items() if row.search and name in BODIES]

if not FACTS.exists():
    pytest.skip("the official expressions are not beside this project", allow_module_level=True)


def official(type_):
    """Return the expressions of one type by parameter, as far as they are plain paths."""
    listed = json.loads(FACTS.read_text(encoding="utf-8"))[type_]
    return {
        one["name"]: one["expression"] for one in listed if one["expression"] and "exists()" not in one["expression"]
    }


def selected(resource, expression):
    """Evaluate an expression: alternatives of plain steps, `where` on a member, `resolve() is`, `ofType`."""
    found = []
    for branch in expression.split(" | "):
        path = branch.strip().removeprefix("(").removesuffix(")") if branch.strip().startswith("(") else branch.strip()
        wanted = re.search(r"\.where\(resolve\(\) is (\w+)\)", path)
        path = re.sub(r"\.where\(resolve\(\) is \w+\)", "", path)
        path = re.sub(r"(\w+)\.ofType\((\w)(\w*)\)", lambda m: m[1] + m[2].upper() + m[3], path)
        chosen = WHERE.search(path)
        values = [resource]
        for step in WHERE.sub(r"\1", path).split(".")[1:]:
            values = [one for value in values if isinstance(value, dict) for one in listed(value.get(step))]
        if chosen:
            values = [value for value in values if value.get(chosen[2]) == chosen[3]]
        if wanted:
            values = [value for value in values if f"{wanted[1]}/" in value.get("reference", "")]
        found += values
    return found


def listed(value):
    return [] if value is None else value if isinstance(value, list) else [value]


@st.composite
def resources(draw):
    """Draw a resource with some of its elements, and some of their members, left out."""
    row = draw(st.sampled_from(ROWS))
    body = BODIES[row.name]
    kept = {name for name in body if draw(st.integers(0, 3))} | {"resourceType"}
    return row, {name: thinned(draw, body[name]) for name in sorted(kept) if name in body}


def thinned(draw, value):
    if isinstance(value, list):
        return [thinned(draw, one) for one in value]
    if isinstance(value, dict) and len(value) > 1:
        left_out = draw(st.sampled_from([*value, *[""] * 6]))
        return {name: one for name, one in value.items() if name != left_out}
    return value


@settings(max_examples=100, deadline=None)
@given(resources())
def test_what_is_missing_is_what_the_expression_does_not_select(drawn):
    row, resource = drawn
    facts = facts_of(resource, AccessFacts("p1"), row)
    expressions = official(row.name)
    for param in row.search:
        if param.name not in expressions or param.examined:  # no index answers an examined one
            continue
        if param.type == "reference" and _may_name_documents(param):
            continue
        has = bool(selected(resource, expressions[param.name]))
        told = criterion(param, "missing", "false", BASE).matches(facts)
        assert told is has, (row.name, param.name, resource)


@settings(max_examples=100, deadline=None)
@given(resources())
def test_every_value_that_the_expression_selects_is_found(drawn):
    row, resource = drawn
    facts = facts_of(resource, AccessFacts("p1"), row)
    for name, expression in official(row.name).items():
        param = next((param for param in row.search if param.name == name), None)
        values = selected(resource, expression) if param and not param.examined else []
        for query in [query for value in values for query in asking(param, value)]:
            assert criterion(param, "", query, BASE).matches(facts), (row.name, name, query)


def _may_name_documents(param):
    return not param.targets or "DocumentReference" in param.targets


def asking(param, value):
    """Return searches that must find a value."""
    if param.type == "token":
        if isinstance(value, dict):
            codings = [coding for coding in value.get("coding", [value]) if coding.get("code", coding.get("value"))]
            return [escaped(coding.get("code", coding.get("value"))) for coding in codings]
        return [json.dumps(value).strip('"')]
    if param.type == "reference":
        literal = value.get("reference", "") if isinstance(value, dict) else ""
        return [literal] if re.fullmatch(r"[A-Z]\w+/[A-Za-z0-9.\-]+", literal) else []
    if param.type == "string":
        parts = [part for name, part in value.items() if name in TEXTS] if isinstance(value, dict) else [value]
        return [escaped(part) for part in parts if isinstance(part, str) and len(part) < LONGEST]
    return []


def escaped(text):
    return re.sub(r"([\\,$|])", r"\\\1", str(text))
