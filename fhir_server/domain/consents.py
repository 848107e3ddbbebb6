"""Consents as directives and back: each is honoured exactly as its text says, or refused with what cannot be honoured.

A permit without an actor is given to the establishments that the Consent names as custodians; a deny without one
reaches everybody. Several Consents of one patient: a deny goes before any permit (docs/adr/0101-consents-as-directives.md).

Source: IHE PCF 1.1, profiles consentBasic and consentIntermediate (https://profiles.ihe.net/ITI/PCF/); CH PPQm 5.0
for the choices that a space is born with, each an explicit Consent (http://fhir.ch/ig/ch-epr-fhir/).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from consent_rules.model import Directive
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import DirectiveKind, Proof, Purpose
from fhir_server.domain import dates
from fhir_server.domain.problem import Category, Issue, Problem

Json = dict[str, Any]

DIRECTIVE = "urn:habilis:directive"
"""Code system of `policyRule` (or a category): what a Consent says beyond permit and deny, a DirectiveKind."""
PROOF = "urn:habilis:proof"
"""Code system of a category: what shows the consent, a Proof."""
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
RECIPIENT = ("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
DECLARED = (
    "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "PCP",
)
SCOPE = ("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")
LOINC_CONSENT = ("http://loinc.org", "59284-0")
POLICY = "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"

_UNSAID = frozenset({"class", "securityLabel", "action", "data", "dataPeriod"})
_REFERENCE = re.compile(r"(Practitioner|PractitionerRole|Organization|CareTeam|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")
_EMERGENCIES = frozenset({Purpose.EMERGENCY, Purpose.BREAK_GLASS})
_KINDS = frozenset(kind.value for kind in DirectiveKind)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SETTINGS = frozenset(
    {
        DirectiveKind.HIDDEN_IN_EMERGENCY,
        DirectiveKind.HIDDEN_BY_DEFAULT,
        DirectiveKind.CARE_HISTORY_HIDDEN,
        DirectiveKind.ASK_FIRST,
        DirectiveKind.AT_ONCE,
    }
)
_RELATED = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER})
_PERSONS = frozenset({DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR, DirectiveKind.EMERGENCY_OPENING})
_LIMITED = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.CARER})
_NOT_BY_CONSENT = frozenset({DirectiveKind.BLOCK_LIFTED})


def is_active(consent: Json) -> bool:
    """Tell whether a Consent is to be compiled at all; drafts, proposals and withdrawn ones say nothing."""
    return consent.get("status") == "active"


def directive_of(consent: Json, id_: str) -> Directive:
    """Compile a Consent; its references are relative and resolved.

    Who gave it (`by_patient`, `recorder`) is no word of the Consent: consent_rules.recording stamps it.
    Raises: Problem(INVALID) for what is missing, BUSINESS_RULE for what cannot be honoured, naming each element.
    """
    provision = consent.get("provision") or {}
    issues = [*_missing(consent, provision), *_unhonoured(consent, provision)]
    if issues:
        invalid = any(issue.code == "required" for issue in issues)
        raise Problem(Category.INVALID if invalid else Category.BUSINESS_RULE, *issues)
    try:
        return _compiled(consent, provision, id_)
    except ValueError as problem:
        raise Problem.of(Category.INVALID, str(problem), "Consent.provision") from problem


def access_of(directive: Directive, patient: str) -> AccessFacts:
    """Return who may see a Consent: the patient, and whoever it lets in or recorded it; never whom it blocks."""
    named = sorted(directive.actors) if directive.kind is not DirectiveKind.BLOCK else []
    person = next((actor for actor in named if actor.startswith("Practitioner")), directive.recorder)
    return AccessFacts(
        compartment=patient,
        kind=directive.kind.value,
        owner_person=person,
        owner_organization=next((actor for actor in named if actor.startswith("Organization/")), ""),
        owner_client=directive.recorder if directive.recorder != person else "",
    )


def consent_of(directive: Directive, patient: str, custodian: str) -> Json:
    """Write a directive as an IHE PCF Consent that compiles to it again. custodian: "Organization/…"."""
    deny = directive.kind in (DirectiveKind.BLOCK, DirectiveKind.BLOCK_LIFTED)
    provision: Json = {"type": "deny" if deny else "permit"}
    period = {name: _text(at, name) for name in ("start", "end") if (at := getattr(directive, name))}
    provision |= {"period": period} if period else {}
    provision |= {"actor": [_actor(directive, actor) for actor in sorted(directive.actors)]} if directive.actors else {}
    provision |= {"purpose": [_coding(ACT_REASON, p) for p in sorted(directive.purposes)]} if directive.purposes else {}
    provision |= {"code": [_concept("", code) for code in sorted(directive.kinds)]} if directive.kinds else {}
    if directive.excluded:
        provision["provision"] = [{"type": "deny", "actor": [_actor(directive, a) for a in sorted(directive.excluded)]}]
    holder = {"reference": f"Patient/{patient}"}
    consent: Json = {
        "resourceType": "Consent",
        "status": "active",
        "scope": _concept(*SCOPE),
        "category": [_concept(*LOINC_CONSENT), _concept(PROOF, directive.proof)],
        "patient": holder,
        "dateTime": _text(directive.recorded_at or _EPOCH, "start"),
        "performer": [holder],
        "organization": [{"reference": custodian}],
        "sourceAttachment": {"title": directive.reason or "choice of the patient"},
        "policy": [{"uri": POLICY}],
        "provision": provision,
    }
    if directive.kind not in (DirectiveKind.AGREEMENT, DirectiveKind.BLOCK):
        consent["policyRule"] = _concept(DIRECTIVE, directive.kind)
    return consent


def _compiled(consent: Json, provision: Json, id_: str) -> Directive:
    kind = _kind(consent, provision)
    actors = frozenset(_references(provision))
    if kind is DirectiveKind.AGREEMENT and not actors:
        actors = frozenset(item.get("reference", "") for item in consent.get("organization", [])) - {""}
    start, end = _period(provision)
    return Directive(
        id=id_,
        kind=kind,
        actors=actors,
        excluded=frozenset(actor for nested in _nested(provision, "deny") for actor in _references(nested)),
        purposes=_purposes(provision, kind),
        start=start,
        end=end,
        recorded_at=_instant(dates.interval_of(consent["dateTime"])[0]),
        proof=_proof(consent),
        kinds=_kinds(provision),
        reason=str((consent.get("sourceAttachment") or {}).get("title", "")) if kind in _PERSONS else "",
    )


def _missing(consent: Json, provision: Json) -> Iterator[Issue]:
    for name, value in (("dateTime", consent.get("dateTime")), ("provision.type", provision.get("type"))):
        if not value:
            yield Issue("this element is required", f"Consent.{name}", "required")


def _unhonoured(consent: Json, provision: Json) -> Iterator[Issue]:
    """Name every element that would have to be ignored."""
    if not _has_coding(consent.get("scope"), *SCOPE):
        yield _cannot("only consents of scope `patient-privacy` decide about access", "Consent.scope")
    for element in sorted(_UNSAID & provision.keys()):
        yield _cannot("access cannot be limited by this element here", f"Consent.provision.{element}")
    for name in ("modifierExtension",):
        if name in consent or name in provision:
            yield _cannot("an unknown modifier may change the meaning", f"Consent.{name}")
    kind = _kind(consent, provision)
    yield from _unhonoured_actors(provision, "Consent.provision", kind)
    yield from _unhonoured_kind(consent, provision, kind)
    for index, nested in enumerate(provision.get("provision", [])):
        path = f"Consent.provision.provision[{index}]"
        if not (_is_emergency_exception(provision, nested) or _is_actor_exception(provision, nested)):
            yield _cannot("this exception cannot be honoured exactly", path)
        yield from _unhonoured_actors(nested, path, kind)


def _unhonoured_kind(consent: Json, provision: Json, kind: DirectiveKind) -> Iterator[Issue]:
    actors = list(_references(provision))
    if kind in _NOT_BY_CONSENT or _unknown_kind(consent):
        yield _cannot("no such directive", "Consent.policyRule")
    if (kind is DirectiveKind.BLOCK) is not (provision.get("type") == "deny"):
        yield _cannot("this directive is stated the other way round", "Consent.provision.type")
    if "code" in provision and kind not in _LIMITED:
        yield _cannot("only an agreement or a carer can be limited to document types", "Consent.provision.code")
    if kind in _SETTINGS and actors:
        yield _cannot("a setting of the whole space names nobody", "Consent.provision.actor")
    if kind in _RELATED | _PERSONS and len(actors) != 1:
        yield _cannot("exactly one person is named here", "Consent.provision.actor")
    if kind is DirectiveKind.AGREEMENT and not actors and not consent.get("organization"):
        yield _cannot("name the professional, establishment or care team", "Consent.provision.actor")
    if kind is DirectiveKind.CARER and "end" not in (provision.get("period") or {}):
        yield _cannot("a carer is named until a date", "Consent.provision.period.end")
    if provision.get("purpose") and not _purposes(provision, kind) and kind is not DirectiveKind.BLOCK:
        yield _cannot("none of these purposes is served here", "Consent.provision.purpose")
    if kind is DirectiveKind.BLOCK and provision.get("purpose") and not _known_purposes(provision):
        yield _cannot("none of these purposes is served here", "Consent.provision.purpose")


def _unhonoured_actors(provision: Json, path: str, kind: DirectiveKind) -> Iterator[Issue]:
    for index, actor in enumerate(provision.get("actor", [])):
        reference = str((actor.get("reference") or {}).get("reference", ""))
        where = f"{path}.actor[{index}]"
        if not _REFERENCE.fullmatch(reference):
            yield _cannot("no person, establishment or care team whose identity can be verified", f"{where}.reference")
        elif reference.startswith("RelatedPerson/") is not (kind in _RELATED):
            yield _cannot("this party cannot have this role", f"{where}.reference")
        if not (_has_coding(actor.get("role"), *RECIPIENT) or _has_coding(actor.get("role"), *DECLARED)):
            yield _cannot("only recipients and the declared physician are known roles", f"{where}.role")


def _is_emergency_exception(provision: Json, nested: Json) -> bool:
    """A root deny that leaves an emergency mode open."""
    purposes = _known_purposes(nested)
    only = nested.keys() <= {"type", "purpose"}
    permitted = provision.get("type") == "deny" and nested.get("type") == "permit"
    return permitted and only and bool(purposes) and purposes <= _EMERGENCIES


def _is_actor_exception(provision: Json, nested: Json) -> bool:
    """A root permit that leaves somebody out."""
    return (
        provision.get("type") == "permit"
        and nested.get("type") == "deny"
        and bool(nested.get("actor"))
        and nested.keys() <= {"type", "actor"}
    )


def _kind(consent: Json, provision: Json) -> DirectiveKind:
    for code in _stated_kinds(consent):
        if code in _KINDS:
            return DirectiveKind(code)
    if provision.get("type") == "deny":
        return DirectiveKind.BLOCK
    declared = any(_has_coding(actor.get("role"), *DECLARED) for actor in provision.get("actor", []))
    return DirectiveKind.DECLARED_PHYSICIAN if declared else DirectiveKind.AGREEMENT


def _stated_kinds(consent: Json) -> list[str]:
    concepts = (consent.get("policyRule") or {}, *consent.get("category", []))
    codings = (coding for concept in concepts for coding in concept.get("coding", []))
    return [str(coding.get("code", "")) for coding in codings if coding.get("system") == DIRECTIVE]


def _unknown_kind(consent: Json) -> bool:
    stated = _stated_kinds(consent)
    return len(stated) > 1 or any(code not in _KINDS for code in stated)


def _purposes(provision: Json, kind: DirectiveKind) -> frozenset[Purpose]:
    """Return the purposes that a Consent speaks for; an emergency left open by a root deny is taken out of it."""
    known = _known_purposes(provision)
    if kind is not DirectiveKind.BLOCK:
        return known
    left_open = frozenset[Purpose]().union(*(_known_purposes(nested) for nested in _nested(provision, "permit")))
    if not left_open:
        return known
    reached = known or frozenset({Purpose.TREATMENT})
    return frozenset({p for p in reached | _EMERGENCIES if p not in left_open})


def _known_purposes(provision: Json) -> frozenset[Purpose]:
    codes = {c.get("code") for c in provision.get("purpose", []) if c.get("system") == ACT_REASON}
    return frozenset(purpose for purpose in Purpose if purpose.value in codes)


def _kinds(provision: Json) -> frozenset[str] | None:
    codes = {c.get("code", "") for concept in provision.get("code", []) for c in concept.get("coding", [])}
    return frozenset(codes) if "code" in provision else None


def _proof(consent: Json) -> Proof:
    for concept in consent.get("category", []):
        for coding in concept.get("coding", []):
            if coding.get("system") == PROOF:
                return Proof(coding.get("code", ""))
    return Proof.ORAL


def _period(provision: Json) -> tuple[datetime | None, datetime | None]:
    period = provision.get("period") or {}
    low, high = dates.period_of(period)
    return (_instant(low) if "start" in period else None, _instant(high) if "end" in period else None)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(micros, dates.LATEST - 1))


def _text(at: datetime, bound: str) -> str:
    """Write an instant; the end of a period is inclusive, so the last whole second before it."""
    shown = at - timedelta(seconds=1) if bound == "end" else at
    return shown.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _nested(provision: Json, type_: str) -> list[Json]:
    return [nested for nested in provision.get("provision", []) if nested.get("type") == type_]


def _references(provision: Json) -> Iterator[str]:
    for actor in provision.get("actor", []):
        yield str((actor.get("reference") or {}).get("reference", ""))


def _actor(directive: Directive, reference: str) -> Json:
    role = DECLARED if directive.kind is DirectiveKind.DECLARED_PHYSICIAN else RECIPIENT
    return {"role": _concept(*role), "reference": {"reference": reference}}


def _concept(system: str, code: str) -> Json:
    return {"coding": [_coding(system, code)]}


def _coding(system: str, code: str) -> Json:
    return {"system": system, "code": str(code)} if system else {"code": code}


def _has_coding(concept: Json | None, system: str, code: str) -> bool:
    codings = (concept or {}).get("coding", [])
    return any(coding.get("system") == system and coding.get("code") == code for coding in codings)


def _cannot(text: str, expression: str) -> Issue:
    return Issue(text, expression, "cannot-be-honoured")
