"""Conditions of conditional interactions and references: one business identifier, and the patient it belongs to.

The server offers only what one exact look-up in the caller's view can resolve. It refuses anything else by name,
because a condition that it ignored would match too much.

Source: https://hl7.org/fhir/R4/http.html#ccreate, #cond-update and #trules (conditional references).
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from consent_rules.vocabulary import PatientId
from fhir_server.domain.problem import Category, Problem

_PATIENT = frozenset({"patient", "subject"})


@dataclass(frozen=True, slots=True)
class Condition:
    """An identifier that must match exactly, and the patient of the resource.

    patient: id. patient_identifier: (system, value) of the patient instead.
    """

    system: str
    value: str
    patient: PatientId | None = None
    patient_identifier: tuple[str, str] | None = None


def query_of(sent: str, type_: str, fhir_base: str, expression: str = "") -> str:
    """Return the query of a condition as clients spell it: alone, after `?`, after `Type?`, or as a full URL of ours.

    type_: the type that is created. expression: the element that a fault names.
    Raises: Problem(MALFORMED) when another type or another server stands before `?`.
    """
    place, found, query = sent.strip().partition("?")
    if not found or "=" in place:  # a `?` inside a value belongs to the value
        return sent.strip()
    if place not in ("", type_, f"{fhir_base}/{type_}"):
        text = f"the condition must ask for `{type_}` of this server; write `{type_}?identifier=system|value`"
        raise Problem.of(Category.MALFORMED, text, expression, "value")
    return query


def parse(query: str, expression: str = "") -> Condition:
    """Read `identifier=system|value`, with an optional `patient` or `patient.identifier`.

    query: as in a URL, without the question mark. expression: the element that a fault names.
    Raises: Problem(MALFORMED) when the identifier is missing or unreadable, UNSUPPORTED for any other parameter.
    """
    identifier: tuple[str, str] | None = None
    patient: PatientId | None = None
    patient_identifier = None
    for name, value in parse_qsl(query, keep_blank_values=True):
        base = name.replace(":identifier", ".identifier")
        if name == "identifier" and identifier is None:
            identifier = _token(name, value, expression)
        elif base in _PATIENT and not patient:
            patient = PatientId(value.rsplit("/", 1)[-1])
        elif base.removesuffix(".identifier") in _PATIENT and patient_identifier is None:
            patient_identifier = _token(name, value, expression)
        else:
            text = f"`{name}` is not a parameter of conditional interactions; use one `identifier=system|value`"
            raise Problem.of(Category.UNSUPPORTED, text, expression, "not-supported")
    if identifier is None:
        raise Problem.of(Category.MALFORMED, "name the resource with `identifier=system|value`", expression, "required")
    return Condition(*identifier, patient, patient_identifier)


def _token(name: str, value: str, expression: str) -> tuple[str, str]:
    system, found, code = value.partition("|")
    if not found or not code or "," in code:
        raise Problem.of(Category.MALFORMED, f"`{name}` takes one exact `system|value`", expression, "value")
    return system, code
