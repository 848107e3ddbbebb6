"""Look-ups of patients by traits (ITI-78): read from the parameters of a search, and answered with match grades.

A search of Patient by name and birth date is such a look-up when a professional or software sends it without naming
one patient. Names are compared whole; no link holds a trait.
Source: https://profiles.ihe.net/ITI/PDQm/ITI-78.html; https://hl7.org/fhir/R4/patient-operation-match.html.
"""

import re
from uuid import uuid4

import orjson
from flask import Response, request

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import matching
from fhir_server.application.reading.matching import MOST, Asked, Candidates, Grade
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.registry import AccessRule, ResourceType

MATCH_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_SCORES = {Grade.CERTAIN: 1.0, Grade.PROBABLE: 0.8, Grade.POSSIBLE: 0.5}
"""One score for each grade: a finer score would tell of traits that nobody asked about."""
_TRAITS = ("family", "given", "birthdate", "gender")
_OTHERS = frozenset({"_count", "_format", "_pretty"})
_NAMING = frozenset({"identifier", "_id"})
_DATE = re.compile(r"(?:eq)?(\d{4}-\d\d-\d\d)", re.ASCII)
_SIDE = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})
Pairs = list[tuple[str, str]]


def is_look_up(row: ResourceType, caller: Caller, pairs: Pairs) -> bool:
    """Tell whether a search looks somebody up by traits; patients and relatives search their own record."""
    names = {name.partition(":")[0] for name, _ in pairs}
    is_named = bool(names & _NAMING) or caller.launch_patient is not None or caller.requester.kind in _SIDE
    return row.access is AccessRule.IDENTITY and not is_named and bool(names & {"family", "birthdate"})


def search(runtime: Runtime, caller: Caller, pairs: Pairs) -> Response:
    """Answer a search by traits.

    Raises: Problem(UNSUPPORTED) for a parameter or modifier that is no trait, MALFORMED for a value that is none.
    """
    asked = Asked(_patient(pairs), _count(pairs))
    candidates = matching.search_by_traits(runtime, caller, asked, f"{request.method} {request.path}")
    return answer(runtime, candidates, f"{runtime.fhir_base}/Patient")


def _patient(pairs: Pairs) -> Json:
    said: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in _OTHERS and name not in _TRAITS:
            text = f"a search by traits takes {', '.join(_TRAITS)}, whole and without modifiers; not `{name[:64]}`"
            raise Problem.of(Category.UNSUPPORTED, text, code=name[:64])
        said.setdefault(name, []).append(value)
    twice = next((name for name in ("family", "birthdate", "gender") if len(said.get(name, ())) > 1), "")
    if twice or any("," in value for name in _TRAITS for value in said.get(name, ())):
        raise Problem.of(Category.UNSUPPORTED, "a search by traits takes one value of each trait", code=twice)
    born = _DATE.fullmatch(said.get("birthdate", [""])[0])
    if "birthdate" in said and not born:
        raise Problem.of(Category.MALFORMED, "`birthdate` takes a whole date here", code="birthdate")
    called = {"family": said.get("family", [""])[0], "given": said.get("given", [])}
    patient: Json = {"resourceType": "Patient", "name": [called], "gender": said.get("gender", [""])[0]}
    return patient | {"birthDate": born[1] if born else ""}


def _count(pairs: Pairs) -> int:
    text = dict(pairs).get("_count", str(MOST))
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        raise Problem.of(Category.MALFORMED, "`_count` takes a whole number from 1 on", code="_count")
    return min(int(text), MOST)


def answer(runtime: Runtime, candidates: Candidates, self_url: str = "") -> Response:
    """Answer the candidates as a searchset with a grade for each; an entry says when too many match."""
    entries = [_entry(runtime, candidates, number) for number in range(len(candidates.shown))]
    if candidates.too_many:
        text = f"more than {MOST} people match: state more traits"
        outcome = rendering.warnings([Issue(text)])
        entries.append({"fullUrl": uuid4().urn, "resource": outcome, "search": {"mode": "outcome"}})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(candidates.shown)}
    bundle |= {"link": [{"relation": "self", "url": self_url}]} if self_url else {}
    return negotiation.fhir_response(bundle | ({"entry": entries} if entries else {}))


def _entry(runtime: Runtime, candidates: Candidates, number: int) -> Json:
    item, grade = candidates.shown[number], candidates.grade
    told = {"extension": [{"url": MATCH_GRADE, "valueCode": grade.value}], "mode": "match", "score": _SCORES[grade]}
    resource = orjson.loads(rendering.body_of(item))
    return {"fullUrl": f"{runtime.fhir_base}/{item.reference}", "resource": resource, "search": told}
