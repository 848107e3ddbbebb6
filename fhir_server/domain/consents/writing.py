"""A directive written as an IHE PCF Consent, so that it compiles to the same directive again."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from consent_rules.matrix.table import professions
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, PatientId, Purpose
from fhir_server.domain.consents.elements import (
    ACT_REASON,
    CLASSES,
    DECLARED,
    DIRECTIVE,
    EMERGENCIES,
    INSTANCE,
    PROOF,
    RECIPIENT,
    SCOPE,
    system_of,
)
from fhir_server.domain.values import Json

_DENIALS = frozenset({DirectiveKind.BLOCK, DirectiveKind.WITHHELD})
_LOINC_CONSENT = ("http://loinc.org", "59284-0")
_POLICY = "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def consent_of(directive: Directive, patient: PatientId, custodian: str) -> Json:
    """Write a directive, which must not have both exceptions and limits that PCF cannot state together.

    custodian: "Organization/…", the establishment that keeps the Consent; "" when there is none.
    """
    holder = {"reference": f"Patient/{patient}"}
    consent: Json = {
        "resourceType": "Consent",
        "status": "active",
        "scope": _concept(*SCOPE),
        "category": [_concept(*_LOINC_CONSENT), _concept(PROOF, directive.proof)],
        "patient": holder,
        "dateTime": _text(directive.recorded_at or _EPOCH),
        "performer": [holder],
        "sourceAttachment": said(directive.reason or "choice of the patient"),
        "policy": [{"uri": _POLICY}],
        "provision": _provision(directive),
    }
    if custodian:
        consent["organization"] = [{"reference": custodian}]
    if directive.kind not in _DENIALS | {DirectiveKind.AGREEMENT}:
        consent["policyRule"] = _concept(DIRECTIVE, directive.kind)
    return consent


def ending(consent: Json, end: datetime) -> Json:
    """Return a Consent whose provision ends at an instant, whatever end it states. end: exclusive."""
    provision = consent["provision"]
    period = {name: value for name, value in provision.get("period", {}).items() if name != "_end"}
    return consent | {"provision": provision | {"period": period | _period(None, end)}}


def said(text: str) -> Json:
    """Write the patient's words as an Attachment with data, because a title alone points to nothing."""
    return {"contentType": "text/plain;charset=utf-8", "data": b64encode(text.encode()).decode(), "title": text}


def _provision(directive: Directive) -> Json:
    deny = directive.kind in _DENIALS
    stated: Json = {
        "period": _period(directive.start, directive.end),
        "actor": _actors(directive, directive.actors),
        "purpose": [_coding(ACT_REASON, purpose) for purpose in sorted(_purposes(directive))],
        "class": [_coding(CLASSES, code) for code in sorted(directive.categories or ())],
        "code": [_concept("", code) for code in sorted(directive.kinds or ())],
        "dataPeriod": _period(directive.data_start, directive.data_end),
        "securityLabel": [_coding(system_of(label), str(label.name)) for label in directive.labels],
        "data": [_datum(id_) for id_ in sorted(directive.documents or ())],
        "provision": _exceptions(directive),
    }
    return {"type": "deny" if deny else "permit"} | {name: value for name, value in stated.items() if value}


def _purposes(directive: Directive) -> frozenset[Purpose]:
    """Return the purposes to state: a deny for treatment covers the emergency modes without stating them."""
    if directive.kind in _DENIALS and Purpose.TREATMENT in directive.purposes:
        return directive.purposes - EMERGENCIES
    return directive.purposes


def _exceptions(directive: Directive) -> list[Json]:
    excepted = [*_actors(directive, directive.excluded), *map(_profession, sorted(directive.professions))]
    opposite = "permit" if directive.kind in _DENIALS else "deny"
    written: list[Json] = [{"type": opposite, "actor": excepted}] if excepted else []
    if directive.kind in _DENIALS and Purpose.TREATMENT in directive.purposes:
        left_open = sorted(EMERGENCIES - directive.purposes)
        if left_open:
            written.append({"type": "permit", "purpose": [_coding(ACT_REASON, p) for p in left_open]})
    return written


def _datum(document: str) -> Json:
    return {"meaning": INSTANCE, "reference": {"reference": f"DocumentReference/{document}"}}


def _profession(code: str) -> Json:
    identifier = {"system": professions()[code].system, "value": code}
    return {"role": _concept(*RECIPIENT), "reference": {"type": "PractitionerRole", "identifier": identifier}}


def _period(start: datetime | None, end: datetime | None) -> Json:
    """Return a Period; its end is inclusive, so it is the last whole second before the directive's end."""
    last = end and end - timedelta(seconds=1)
    return {name: _text(at) for name, at in (("start", start), ("end", last)) if at}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _actors(directive: Directive, references: Iterable[str]) -> list[Json]:
    role = DECLARED if directive.kind is DirectiveKind.DECLARED_PHYSICIAN else RECIPIENT
    return [{"role": _concept(*role), "reference": {"reference": reference}} for reference in sorted(references)]


def _concept(system: str, code: str) -> Json:
    return {"coding": [_coding(system, code)]}


def _coding(system: str, code: str) -> Json:
    return {"system": system, "code": str(code)} if system else {"code": code}
