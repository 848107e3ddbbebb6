"""Operations on codes: `$expand`, `$lookup` and `$validate-code`, on the code systems that the rules need.

They answer from the code alone, to everybody, like the CapabilityStatement.
Source: https://hl7.org/fhir/R4/terminology-service.html; the parameters that the server leaves out are refused by name.
"""

from collections.abc import Mapping
from typing import TypeVar

from flask import Response, request

from fhir_server.domain import code_lookup
from fhir_server.domain.code_lookup import Verdict
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.terminology.code_systems import CodeSystem, code_systems
from fhir_server.domain.terminology.value_sets import Coded, ValueSet, value_sets
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Output, Parameter, outputs

Found = TypeVar("Found", CodeSystem, ValueSet)
_LANGUAGES = ("fr", "en")
_DIGITS = 6
_RELEASED = "2026-11-25T00:00:00Z"
"""An expansion is the same whenever it is asked for, so its time is that of the release."""


def _expand(id_: str, given: Arguments) -> Response:
    value_set, language = _value_set(id_, given), _language(given)
    start, count = _whole(given, "offset") or 0, _whole(given, "count")
    found = code_lookup.expand(value_set, str(given.get("filter", "")), start, count, language)
    contains = [
        {"system": system, "code": concept.code, "display": concept.display(language)} for system, concept in found.page
    ]
    used = [("displayLanguage", "valueCode", language), ("filter", "valueString", given.get("filter"))]
    used += [("offset", "valueInteger", start if "offset" in given else None), ("count", "valueInteger", count)]
    expansion: Json = {
        "identifier": f"{value_set.url}:expansion",
        "timestamp": _RELEASED,
        "total": found.total,
        "offset": start,
        "parameter": [{"name": name, kind: value} for name, kind, value in used if value is not None],
    }
    expansion |= {"contains": contains} if contains else {}
    head: Json = {"resourceType": "ValueSet", "id": value_set.id, "url": value_set.url, "title": value_set.title}
    notice = {"copyright": value_set.copyright} if value_set.copyright else {}
    return negotiation.fhir_response(head | {"status": "active"} | notice | {"expansion": expansion})


def _look_up(id_: str, given: Arguments) -> Response:
    ((system, code), _), *_ = _codings(given)
    if id_:
        system = _by_id(id_, code_systems()).url
    known = _known(code_systems(), system, "code system")
    concept = known.concepts.get(code)
    if concept is None:
        raise Problem.of(Category.NOT_FOUND, "the server knows no such code of this code system", code="code")
    language = _language(given)
    texts = [("fr", concept.fr), ("en", concept.en)]
    said = [
        {
            "name": "designation",
            "part": [{"name": "language", "valueCode": name}, {"name": "value", "valueString": text}],
        }
        for name, text in texts
        if text
    ]
    head = [{"name": "name", "valueString": known.title}, {"name": "display", "valueString": concept.display(language)}]
    return negotiation.fhir_response({"resourceType": "Parameters", "parameter": [*head, *said]})


def _validate_in_system(id_: str, given: Arguments) -> Response:
    url = _by_id(id_, code_systems()).url if id_ else str(given.get("url", ""))
    ((system, code), display), *_ = _codings(given)
    known = _known(code_systems(), url or system, "code system")
    if url and system not in ("", url):
        return _verdict(Verdict(holds=False, message="the coding is of another code system"))
    return _verdict(code_lookup.of_system(known, code, display, _language(given)))


def _validate_in_set(id_: str, given: Arguments) -> Response:
    return _verdict(code_lookup.of_value_set(_value_set(id_, given), _codings(given), _language(given)))


def _verdict(verdict: Verdict) -> Response:
    said: list[Json] = [{"name": "result", "valueBoolean": verdict.holds}]
    texts = {"message": verdict.message, "display": verdict.display}
    said += [{"name": name, "valueString": text} for name, text in texts.items() if text]
    return negotiation.fhir_response({"resourceType": "Parameters", "parameter": said})


def _codings(given: Arguments) -> list[tuple[Coded, str]]:
    """Return the codings that are asked about, each with its display; "" for no system.

    Raises: Problem(INVALID) unless exactly one of `code`, `coding` and `codeableConcept` says one.
    """
    said = [name for name in ("code", "coding", "codeableConcept") if name in given]
    if len(said) != 1:
        raise Problem.of(Category.INVALID, "say one of `code`, `coding` and `codeableConcept`", "Parameters.parameter")
    value = given[said[0]]
    if said == ["code"]:
        return [((str(given.get("system", "")), str(value)), str(given.get("display", "")))]
    codings = value.get("coding", []) if said == ["codeableConcept"] else [value]
    found = [_coding(one) for one in codings if "code" in one]
    if not found:
        raise Problem.of(Category.INVALID, "a coding needs a `code`", "Parameters.parameter", "required")
    return found


def _coding(coding: Json) -> tuple[Coded, str]:
    return (str(coding.get("system", "")), str(coding["code"])), str(coding.get("display", ""))


def _value_set(id_: str, given: Arguments) -> ValueSet:
    return _by_id(id_, value_sets()) if id_ else _known(value_sets(), str(given.get("url", "")), "value set")


def _by_id(id_: str, known: Mapping[str, Found]) -> Found:
    found = next((one for one in known.values() if one.id == id_), None)
    if found is None:
        raise Problem(Category.NOT_FOUND)
    return found


def _known(known: Mapping[str, Found], url: str, what: str) -> Found:
    """Return what a canonical URL names; a version after `|` is ignored, because the server holds one version of each.

    Raises: Problem(INVALID) without a URL; NOT_FOUND for an unknown one.
    """
    if not url:
        raise Problem.of(Category.INVALID, f"name the {what} by its URL", "Parameters.parameter", "required")
    found = known.get(url.partition("|")[0])
    if found is None:
        raise Problem.of(Category.NOT_FOUND, f"the server knows no {what} with this URL", code="url")
    return found


def _language(given: Arguments) -> str:
    """Return the language of displays: of the parameter, or of the request, or French."""
    asked = str(given.get("displayLanguage", "")).partition("-")[0].lower()
    return asked if asked in _LANGUAGES else request.accept_languages.best_match(_LANGUAGES) or _LANGUAGES[0]


def _whole(given: Arguments, name: str) -> int | None:
    """Return a parameter that is a number from 0 on, None when it is not said.

    Raises: Problem(INVALID).
    """
    if name not in given:
        return None
    text = str(given[name])
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise Problem.of(Category.INVALID, f"`{name}` takes a whole number from 0 on", "Parameters.parameter", "value")
    return int(text)


_URL = Parameter("url", "uri", "the canonical URL, when no instance is named")
_SAID = (
    Parameter("code", "code", "the code that is asked about"),
    Parameter("system", "uri", "the code system of `code`"),
    Parameter("coding", "Coding", "system, code and display, instead of `code`"),
)
_CHECKED = (
    _URL,
    *_SAID,
    Parameter("display", "string", "the display of `code`, which is compared with those that the server holds"),
    Parameter("codeableConcept", "CodeableConcept", "several codings, instead of `code`: one of them is enough"),
)
_SHOWN = Parameter("displayLanguage", "code", "`fr` or `en`; without it, the language that the request accepts")
_VERDICT = outputs(("result", "boolean"), ("message", "string"), ("display", "string"))
OPERATIONS = (
    Operation(
        "expand",
        "ValueSet",
        "The codes of a value set",
        "All codes with their displays, or a page of those whose code or display begins with a text.",
        shown=_expand,
        parameters=(
            _URL,
            Parameter("filter", "string", "the beginning of the code, or of a word of the display"),
            Parameter("offset", "integer", "how many codes are left out at the beginning"),
            Parameter("count", "integer", "how many codes are shown at most"),
            _SHOWN,
        ),
        output=outputs(("return", "ValueSet")),
        also_on_type=True,
        affects_state=False,
    ),
    Operation(
        "validate-code",
        "ValueSet",
        "Whether a code belongs to a value set",
        "A display that differs from those that the server holds is a fault; case and accents do not count.",
        shown=_validate_in_set,
        parameters=(*_CHECKED, _SHOWN),
        output=_VERDICT,
        also_on_type=True,
        affects_state=False,
    ),
    Operation(
        "lookup",
        "CodeSystem",
        "What a code means",
        "The displays of a code in French and English, as far as the server's own data has them.",
        shown=_look_up,
        parameters=(*_SAID, _SHOWN),
        output=(
            *outputs(("name", "string"), ("display", "string")),
            Output("designation", parts=outputs(("language", "code"), ("value", "string"))),
        ),
        also_on_type=True,
        affects_state=False,
    ),
    Operation(
        "validate-code",
        "CodeSystem",
        "Whether a code belongs to a code system",
        "Of others' code systems the server knows the codes that the matrix and the rules use, and no other.",
        shown=_validate_in_system,
        parameters=(*_CHECKED, _SHOWN),
        output=_VERDICT,
        also_on_type=True,
        affects_state=False,
    ),
)
