"""A directive written as an IHE PCF Consent, such that it compiles to the same directive again."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.domain.consent_elements import ACT_REASON, DECLARED, DIRECTIVE, EMERGENCIES, PROOF, RECIPIENT, SCOPE

Json = dict[str, Any]

_LOINC_CONSENT = ("http://loinc.org", "59284-0")
_POLICY = "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def consent_of(directive: Directive, patient: str, custodian: str) -> Json:
    """Write a directive; one with both exceptions and limits that PCF cannot state is no choice that can be made.

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
        "sourceAttachment": {"title": directive.reason or "choice of the patient"},
        "policy": [{"uri": _POLICY}],
        "provision": _provision(directive),
    }
    if custodian:
        consent["organization"] = [{"reference": custodian}]
    if directive.kind not in (DirectiveKind.AGREEMENT, DirectiveKind.BLOCK):
        consent["policyRule"] = _concept(DIRECTIVE, directive.kind)
    return consent


def _provision(directive: Directive) -> Json:
    deny = directive.kind is DirectiveKind.BLOCK
    stated: Json = {
        "period": _period(directive),
        "actor": _actors(directive, directive.actors),
        "purpose": [_coding(ACT_REASON, purpose) for purpose in sorted(_purposes(directive))],
        "code": [_concept("", code) for code in sorted(directive.kinds or ())],
        "provision": _exceptions(directive),
    }
    return {"type": "deny" if deny else "permit"} | {name: value for name, value in stated.items() if value}


def _purposes(directive: Directive) -> frozenset[Purpose]:
    """Return the purposes to state: a deny for treatment says nothing of the emergencies that it reaches with it."""
    if directive.kind is DirectiveKind.BLOCK and Purpose.TREATMENT in directive.purposes:
        return directive.purposes - EMERGENCIES
    return directive.purposes


def _exceptions(directive: Directive) -> list[Json]:
    if directive.excluded:
        return [{"type": "deny", "actor": _actors(directive, directive.excluded)}]
    if directive.kind is DirectiveKind.BLOCK and Purpose.TREATMENT in directive.purposes:
        left_open = sorted(EMERGENCIES - directive.purposes)
        return [{"type": "permit", "purpose": [_coding(ACT_REASON, p) for p in left_open]}] if left_open else []
    return []


def _period(directive: Directive) -> Json:
    """Return the period; its end is inclusive, so the last whole second before the directive's."""
    end = directive.end and directive.end - timedelta(seconds=1)
    return {name: _text(at) for name, at in (("start", directive.start), ("end", end)) if at}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _actors(directive: Directive, references: Iterable[str]) -> list[Json]:
    role = DECLARED if directive.kind is DirectiveKind.DECLARED_PHYSICIAN else RECIPIENT
    return [{"role": _concept(*role), "reference": {"reference": reference}} for reference in sorted(references)]


def _concept(system: str, code: str) -> Json:
    return {"coding": [_coding(system, code)]}


def _coding(system: str, code: str) -> Json:
    return {"system": system, "code": str(code)} if system else {"code": code}
