"""Conditions of conditional interactions and references, as sent.

A conditional reference, and the condition of a creation, name one business identifier and the patient whom the resource
is about. The criteria of a conditional update, patch or deletion may be any search parameters of the type. An unknown
parameter is refused by name, because a condition that the server ignored would match too much.

Source: https://hl7.org/fhir/R4/http.html#ccreate, #cond-update and #trules (conditional references).
"""

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from consent_rules.vocabulary import PatientId
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Criterion
from fhir_server.domain.search.values import criterion
from fhir_server.registry import AccessRule, ResourceType
from fhir_server.settings import limits

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


@dataclass(frozen=True, slots=True)
class Criteria:
    """What names the one resource of a conditional update, patch or deletion.

    number: the look-up token of one exact `identifier`, None when none was sent. ids: the value of `_id`.
    others: every other criterion about the resource itself. patient, patient_identifier: as in Condition.
    """

    number: AnyOf | None = None
    ids: frozenset[str] | None = None
    others: tuple[Criterion, ...] = ()
    patient: PatientId | None = None
    patient_identifier: tuple[str, str] | None = None

    @property
    def all(self) -> tuple[Criterion, ...]:
        """Every criterion about the resource itself."""
        return (self.number, *self.others) if self.number else self.others


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


def read_criteria(row: ResourceType, query: str, fhir_base: str, expression: str = "") -> Criteria:
    """Read the criteria of a conditional update, patch or deletion.

    query: as in a URL, without the question mark; `_format` and `_pretty` are no criteria.
    Raises: Problem(MALFORMED) without any criterion, and for a value that cannot be read; UNSUPPORTED for a parameter
    that is not one of the type; TOO_COSTLY for more parameters or values than a search may have.
    """
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _OF_FORMAT]
    _demand_measure(pairs)
    found = Criteria()
    for name, value in pairs:
        found = _with(found, row, (name, value, expression), fhir_base)
    if found == Criteria():
        text = "name the resource by its search parameters, such as `identifier=system|value`"
        raise Problem.of(Category.MALFORMED, text, expression, "required")
    return found


_OF_FORMAT = frozenset({"_format", "_pretty"})


def _with(found: Criteria, row: ResourceType, sent: tuple[str, str, str], fhir_base: str) -> Criteria:
    """Return the criteria with one more parameter. sent: name, value, and the element that a fault names."""
    name, value, expression = sent
    base, _, modifier = name.partition(":")
    if base == "_id" and not modifier and found.ids is None:
        return replace(found, ids=frozenset(value.split(",")))
    if name == "identifier" and found.number is None and _is_exact(value):
        token = tokens.identifier_key("identifier", *_token(name, value, expression))
        return replace(found, number=AnyOf(token))
    if row.access not in _NAMED_BY_THEMSELVES and base.removesuffix(".identifier") in _PATIENT:
        return _with_patient(found, sent)
    param = next((one for one in row.search if one.name == base and not one.chain[0]), None)
    if param is None or not value:
        text = f"`{name[:64]}` names no {row.name}; use its search parameters, such as `identifier=system|value`"
        raise Problem.of(Category.UNSUPPORTED, text, expression, "not-supported")
    return replace(found, others=(*found.others, criterion(param, modifier, value, fhir_base)))


_NAMED_BY_THEMSELVES = frozenset({AccessRule.DIRECTORY, AccessRule.IDENTITY})
"""The rules of types that are in no patient's space, or are the patient."""


def _with_patient(found: Criteria, sent: tuple[str, str, str]) -> Criteria:
    name, value, expression = sent
    if found.patient or found.patient_identifier:
        raise Problem.of(Category.MALFORMED, "name the patient once", expression, "value")
    if name in _PATIENT or name.endswith(":Patient"):
        return replace(found, patient=PatientId(value.rsplit("/", 1)[-1]))
    if name.replace(":identifier", ".identifier").endswith(".identifier"):
        return replace(found, patient_identifier=_token(name, value, expression))
    raise Problem.of(Category.UNSUPPORTED, f"`{name[:64]}` is no criterion here", expression, "not-supported")


def _is_exact(value: str) -> bool:
    system, found, code = value.partition("|")
    return bool(system and found and code) and "," not in value


def _demand_measure(pairs: list[tuple[str, str]]) -> None:
    """Refuse more criteria than a search may have, before any of them is read.

    Raises: Problem(TOO_COSTLY).
    """
    allowed = limits.in_force()
    values = sum(value.count(",") + 1 for _, value in pairs)
    longest = max((len(name) + len(value) for name, value in pairs), default=0)
    if len(pairs) > allowed.parameters or values > allowed.values or longest > allowed.value_bytes:
        text = f"at most {allowed.parameters} parameters with {allowed.values} values are criteria of one resource"
        raise Problem.of(Category.TOO_COSTLY, text)


def _token(name: str, value: str, expression: str) -> tuple[str, str]:
    system, found, code = value.partition("|")
    if not found or not code or "," in code:
        raise Problem.of(Category.MALFORMED, f"`{name}` takes one exact `system|value`", expression, "value")
    return system, code
