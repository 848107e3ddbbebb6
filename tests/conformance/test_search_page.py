"""docs/search.md says which modifiers each kind of parameter takes, and what is left out: both are tried here."""

import re

import pytest

from fhir_server.domain.problem import Problem
from fhir_server.http.fhir.search_query import parse
from fhir_server.registry import REGISTRY, SearchParam
from tests.conformance.project import ROOT

PAGE = (ROOT / "docs/search.md").read_text(encoding="utf-8")
BASE = "https://habilis.example/fhir"
TOLD = {
    kind: set(re.findall(r":([\w\-\[\]]+)", modifiers))
    for kind, modifiers in re.findall(r"^\| (\w+) \|(.*)\|$", PAGE.split("## Order")[0], re.MULTILINE)
    if kind != "kind"
}
EVERY = (
    "exact", "contains", "text", "not", "missing", "in", "not-in", "above", "below", "of-type", "identifier", "Patient",
    "nonsense",
)  # fmt: skip
VALUES = {"missing": "true", "of-type": "a|b|c", "in": "urn:habilis:value-set:document-kinds", "identifier": "a|b"}
VALUES["not-in"] = VALUES["in"]
OF_KIND = {"date": "2026", "composite": "replaces$DocumentReference/1"}


def sample(kind: str) -> tuple[str, SearchParam]:
    """Return a parameter of a kind that takes all modifiers of its kind."""
    preferred = {"token": "contenttype", "reference": "Communication.recipient", "string": "Organization.name"}
    type_, _, name = preferred.get(kind, "").rpartition(".")
    for row in REGISTRY.values():
        for param in row.search:
            if param.type == kind and (not name or (param.name == name and type_ in ("", row.name))):
                return row.name, param
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_a_kind_of_parameter_takes_the_modifiers_of_the_page_and_no_other(kind):
    type_, param = sample(kind)
    taken = set()
    for modifier in EVERY:
        value = VALUES.get(modifier, OF_KIND.get(kind, "a"))
        try:
            parse(REGISTRY[type_], [(f"{param.name}:{modifier}", value)], BASE, strict=True)
        except Problem:
            continue
        taken.add("[type]" if modifier == "Patient" else modifier)
    assert taken == TOLD[kind]


def test_every_kind_of_parameter_is_on_the_page():
    assert {param.type for row in REGISTRY.values() for param in row.search} == set(TOLD)


def test_what_is_left_out_is_no_parameter_and_is_refused_or_unknown():
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE.partition("## Left out")[2], re.MULTILINE)[1:]
    names = {name for row in rows for name in re.findall(r"`([a-z_][A-Za-z]*)`", row)}
    assert len(names) >= 8
    assert names.isdisjoint({param.name for row in REGISTRY.values() for param in row.search})
    for name in names:
        with pytest.raises(Problem):
            parse(REGISTRY["DocumentReference"], [(name, "x")], BASE, strict=True)
