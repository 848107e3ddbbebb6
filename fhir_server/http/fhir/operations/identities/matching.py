"""`$match` (ITI-119) and `$ihe-pix` (ITI-83): look-ups of identities, within the ceilings of a search by identifier.

Source: https://profiles.ihe.net/ITI/PDQm/ITI-119.html; https://profiles.ihe.net/ITI/PIXm/ITI-83.html;
docs/operations.md.
"""

import orjson
from flask import Response, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import matching
from fhir_server.application.reading import search as reading_search
from fhir_server.application.reading.matching import MOST, Asked
from fhir_server.application.reading.search import Wanted
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.identities import look_ups
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs
from fhir_server.registry import PATIENT, REGISTRY


def _match(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    count = given.get("count", MOST)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise Problem.of(Category.MALFORMED, "`count` takes a whole number from 1 on", code="count")
    asked = Asked(given["resource"], min(count, MOST), given.get("onlyCertainMatches") is True)
    return look_ups.answer(runtime, matching.match(runtime, caller, asked))


def _cross_reference(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    system, _, value = str(given["sourceIdentifier"]).partition("|")
    if not (system and value):
        raise Problem.of(Category.MALFORMED, "`sourceIdentifier` takes system|value", code="sourceIdentifier")
    key = AnyOf(tokens.identifier_key("identifier", system, value))
    line = f"{request.method} {request.path}"
    wanted = Wanted(Search(PATIENT, (key,)), total=False, query=line, operation="ihe-pix")
    found = reading_search.find(runtime, caller, REGISTRY[PATIENT], wanted)
    if not found.shown:
        raise Problem(Category.NOT_FOUND)
    (shown,) = found.shown
    numbers = [*orjson.loads(shown.stored.body).get("identifier", ())]
    target = given.get("targetSystem")
    told = [one for one in numbers if _is_target(one, target, (system, value))]
    parts: list[Json] = [{"name": "targetIdentifier", "valueIdentifier": one} for one in told]
    parts.append({"name": "targetId", "valueReference": {"reference": shown.reference}})
    return negotiation.fhir_response({"resourceType": "Parameters", "parameter": parts})


def _is_target(identifier: Json, target: object, source: tuple[str, str]) -> bool:
    named = (identifier.get("system"), identifier.get("value"))
    return named != source and (target is None or identifier.get("system") == target)


OPERATIONS = (
    Operation(
        "match",
        "Patient",
        "Who has these traits of identity",
        "For professionals and registered software (PDQm ITI-119). An identifier with its system, or the family name, "
        "the whole birth date, and a given name or the INSEE code of the birth place; case, accents, hyphens and the "
        "order of names make no difference. At most five people are returned, each with the identity traits alone; "
        "each counts as one look-up of an identity and reads it in their own journal.",
        _match,
        (
            Parameter("resource", "Patient", "the traits", required=True),
            Parameter("onlyCertainMatches", "boolean", "true: one person, if it is certain, or nobody"),
            Parameter("count", "integer", "people to be returned at most, up to five"),
        ),
        outputs(("return", "Bundle")),
        instance=False,
    ),
    Operation(
        "ihe-pix",
        "Patient",
        "Other identifiers of a patient",
        "The identifiers and the id of the patient whom an identifier names (PIXm ITI-83), as a search by this "
        "identifier shows them to the caller: somebody without a ground to consult the record is shown national "
        "identifiers alone. It is such a search: it counts as a look-up, and the patient reads it in the journal.",
        _cross_reference,
        (
            Parameter("sourceIdentifier", "string", "`system|value`", required=True),
            Parameter("targetSystem", "uri", "only identifiers of this system"),
        ),
        outputs(("targetIdentifier", "Identifier"), ("targetId", "Reference")),
        instance=False,
        affects_state=False,
    ),
)
