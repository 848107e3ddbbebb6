"""The meaning of each element of a Consent, and the codes of these elements."""

import re
from datetime import datetime
from functools import cache

from consent_rules.matrix.table import kinds, professions
from consent_rules.vocabulary import DirectiveKind, Label, Proof, Purpose
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY
from fhir_server.domain.search import dates
from fhir_server.domain.values import Json

DIRECTIVE = "urn:habilis:directive"
"""Code system of `policyRule` (or a category): a DirectiveKind that permit and deny cannot express."""
PROOF = "urn:habilis:proof"
"""Code system of a category: the evidence of the consent, a Proof."""
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
RECIPIENT = ("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
DECLARED = (
    "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "PCP",
)
SCOPE = ("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")
CLASSES = "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument"
"""Code system of `provision.class` and of `DocumentReference.category`."""
INSTANCE = "instance"
"""Meaning of `provision.data` (http://terminology.hl7.org/CodeSystem/consent-data-meaning): exactly this document."""
LIMITS = frozenset({"class", "code", "data", "dataPeriod", "securityLabel"})
"""Elements that say which documents a provision is about."""
RELATIVE = "RelatedPerson/"
EMERGENCIES = frozenset({Purpose.EMERGENCY, Purpose.BREAK_GLASS})
_PURPOSES = frozenset(Purpose) - {Purpose.ADMINISTRATION, Purpose.OTHER}
"""The purposes that a Consent can name."""
_KINDS = frozenset(kind.value for kind in DirectiveKind)
_DOCUMENT = re.compile(r"DocumentReference/([A-Za-z0-9\-.]{1,64})")


def kind_of(consent: Json, provision: Json) -> DirectiveKind:
    """Return the kind of a Consent: the directive that it states, or else the meaning of its permit, deny and roles."""
    for code in stated_kinds(consent):
        if code in _KINDS:
            return DirectiveKind(code)
    if provision.get("type") == "deny":
        some = is_limited(provision) or names_relative(provision)
        return DirectiveKind.WITHHELD if some else DirectiveKind.BLOCK
    declared = any(has_coding(actor.get("role"), *DECLARED) for actor in provision.get("actor", []))
    return DirectiveKind.DECLARED_PHYSICIAN if declared else DirectiveKind.AGREEMENT


def stated_kinds(consent: Json) -> list[str]:
    """Return the codes of directives that a Consent states; more than one is a fault."""
    concepts = (consent.get("policyRule") or {}, *consent.get("category", []))
    codings = (coding for concept in concepts for coding in concept.get("coding", []))
    return [str(coding.get("code", "")) for coding in codings if coding.get("system") == DIRECTIVE]


def purposes_of(provision: Json, kind: DirectiveKind) -> frozenset[Purpose]:
    """Return the purposes that a Consent covers, an empty set for all purposes.

    A deny for treatment also covers the emergency modes, except those that a nested permit leaves open.
    """
    known = known_purposes(provision)
    if kind not in (DirectiveKind.BLOCK, DirectiveKind.WITHHELD):
        return known
    reached = known | EMERGENCIES if Purpose.TREATMENT in known else known
    left_open = [known_purposes(item) for item in nested_of(provision, "permit") if item.get("purpose")]
    return (reached or _PURPOSES).difference(*left_open) if left_open else reached


def known_purposes(provision: Json) -> frozenset[Purpose]:
    """Return the purposes of one provision that this server knows."""
    codes = {c.get("code") for c in provision.get("purpose", []) if c.get("system") == ACT_REASON}
    return frozenset(purpose for purpose in _PURPOSES if purpose.value in codes)


def is_limited(provision: Json) -> bool:
    """Tell whether a provision is about some documents and not about the whole space."""
    return any(provision.get(element) for element in LIMITS)


def names_relative(provision: Json) -> bool:
    """Tell whether a provision names a related person; a deny then only withholds documents from that person."""
    return any(reference.startswith(RELATIVE) for reference in references(provision))


def document_of(item: Json) -> str:
    """Return the id of the document that an item of `provision.data` names, "" when it names none."""
    match = _DOCUMENT.fullmatch(str((item.get("reference") or {}).get("reference", "")))
    return match[1] if match and item.get("meaning") == INSTANCE else ""


def documents_of(provision: Json) -> frozenset[str] | None:
    """Return the ids of the documents that a provision names, None when it names none."""
    return frozenset(map(document_of, provision["data"])) if "data" in provision else None


def label_of(coding: Json) -> Label:
    """Return the label that a coding states, NONE when it is unknown under its system."""
    code = str(coding.get("code", ""))
    label = Label[code] if code in Label.__members__ else Label.NONE
    return label if coding.get("system") == system_of(label) else Label.NONE


def labels_in(provision: Json) -> Label:
    """Return the labels that a provision is limited to."""
    found = Label.NONE
    for coding in provision.get("securityLabel", []):
        found |= label_of(coding)
    return found


def system_of(label: Label) -> str:
    """Return the code system of a label."""
    return CONFIDENTIALITY if label in Label.N | Label.R | Label.V else ACT_CODE


def profession_of(actor: Json) -> str:
    """Return the code of a profession that an actor stands for, "" when the actor is a party or the code is unknown."""
    reference = actor.get("reference") or {}
    identifier = reference.get("identifier") or {}
    known = professions().get(str(identifier.get("value", "")))
    is_profession = known is not None and known.system == identifier.get("system") and "reference" not in reference
    return known.code if known is not None and is_profession else ""


def professions_in(provision: Json) -> frozenset[str]:
    """Return the codes of the professions that the actors of a provision stand for."""
    return frozenset(profession_of(actor) for actor in provision.get("actor", [])) - {""}


def kinds_of(provision: Json) -> frozenset[str] | None:
    """Return the document types that a provision is limited to, None when it is not."""
    codes = {c.get("code", "") for concept in provision.get("code", []) for c in concept.get("coding", [])}
    return frozenset(codes) if "code" in provision else None


def class_of(coding: Json) -> str:
    """Return the code of a class of documents, "" when it is unknown under its system."""
    code = str(coding.get("code", ""))
    return code if coding.get("system") == CLASSES and code in _known_classes() else ""


def classes_of(provision: Json) -> frozenset[str] | None:
    """Return the classes of documents that a provision is limited to, None when it is not."""
    return frozenset(map(class_of, provision["class"])) if "class" in provision else None


@cache
def _known_classes() -> frozenset[str]:
    return frozenset(kind.category for kind in kinds().values())


def proof_of(consent: Json) -> Proof:
    """Return the evidence of the consent; oral consent when the Consent states none.

    Raises: ValueError for unknown evidence.
    """
    for concept in consent.get("category", []):
        for coding in concept.get("coding", []):
            if coding.get("system") == PROOF:
                return Proof(coding.get("code", ""))
    return Proof.ORAL


def nested_of(provision: Json, type_: str) -> list[Json]:
    """Return the exceptions of one type."""
    return [item for item in provision.get("provision", []) if item.get("type") == type_]


def references(provision: Json) -> list[str]:
    """Return the references of the actors, as written."""
    return [str((actor.get("reference") or {}).get("reference", "")) for actor in provision.get("actor", [])]


def custodians(consent: Json) -> frozenset[str]:
    """Return the establishments that a Consent names as custodians, by literal reference."""
    return frozenset(str(item.get("reference", "")) for item in consent.get("organization", [])) - {""}


def has_coding(concept: Json | None, system: str, code: str) -> bool:
    """Tell whether a concept has a coding."""
    codings = (concept or {}).get("coding", [])
    return any(coding.get("system") == system and coding.get("code") == code for coding in codings)


def is_unknown_kind(consent: Json) -> bool:
    """Tell whether a Consent states an unknown directive, or several directives."""
    stated = stated_kinds(consent)
    return len(stated) > 1 or any(code not in _KINDS for code in stated)


def period_in(provision: Json, element: str) -> tuple[datetime | None, datetime | None]:
    """Return the start and the exclusive end of a Period, None for a bound that it does not state.

    Raises: ValueError when it is not a Period.
    """
    period = provision.get(element) or {}
    low, high = dates.period_of(period)
    return (dates.instant_of(low) if "start" in period else None, dates.instant_of(high) if "end" in period else None)
