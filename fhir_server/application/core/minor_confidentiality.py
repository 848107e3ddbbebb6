"""What must be hidden from guardians of an interaction: that it failed, or on which evidence it was permitted (B10).

A failure is audited in the space of the requested resource, and in no space when the resource is unknown. A guardian
who read of the failure would learn that a resource exists which the minor hides from guardians. A write that fails is
as confidential as what it contains or names.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from consent_rules.decision.evidence import SUPPORT
from consent_rules.lifecycle import is_minor
from consent_rules.model import Permit, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import NO_SPACE, DirectiveKind, Mark, PatientId
from fhir_server.application.core.access import PATIENTS_SIDE, Access
from fhir_server.application.core.search_index import visible_documents
from fhir_server.application.core.system_views import ReadingReason, SystemView, left_open, whole_space
from fhir_server.domain.references import documents_named, identifiers_named
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.ports.store import Snapshot
from fhir_server.registry import DOCUMENTS, AccessRule, types_under, types_with

HIDDEN_FROM_GUARDIANS = Mark.INVISIBLE_REPRESENTANTS_LEGAUX

_NUMBERED = tuple(sorted(types_with("identifier", AccessRule.DOCUMENT, AccessRule.GATHERING)))
_MOST_NUMBERS, _MOST_FOUND = 100, 500
_NAMING = types_under(AccessRule.DIRECTIVE)
"""Types whose bodies name the documents that they are about; for other types, `Facts.documents` names them."""
_BEHIND = _NAMING | types_under(AccessRule.GATHERING, AccessRule.CONTENT, AccessRule.TRACE, AccessRule.NOTICE)


def is_confidential_failure(access: Access) -> bool:
    """Tell whether guardians must not learn that somebody who had entered the space failed to reach a resource.

    Guardians learn of no failure of the patient or of a relative, because a minor may hide things from one relative
    alone.
    """
    return access.caller.requester.kind in PATIENTS_SIDE or is_confidential(access, access.patient)


def is_confidential(access: Access, patient: PatientId | None) -> bool:
    """Tell whether a request contains or names something hidden from guardians, or a list of such documents.

    patient: in whose space the named resources are, None for none.
    System-level: this reads the resource whoever asks, and gives away only the answer.
    """
    audited = access.audited
    return audited.confidential or any(
        _is_confidential(access.snapshot, patient, named) for named in (audited.target, *audited.sought)
    )


def name_what_has_a_number(access: Access, patient: PatientId | None) -> None:
    """Add to what a failed request names: the documents and lists that it refers to by an identifier alone.

    System-level, as `is_confidential`. A request with too many identifiers counts as confidential.
    """
    numbers = frozenset().union(*map(identifiers_named, access.carried))
    if not (numbers and patient):
        return
    if len(numbers) > _MOST_NUMBERS:
        access.audited = replace(access.audited, confidential=True)
        return
    wanted = frozenset(
        tokens.exact_token("identifier", system, value) if system else tokens.any_system("identifier", value)
        for system, value in numbers
    )
    everything = whole_space(ReadingReason.CONFIDENTIALITY, patient)
    found = (
        f"{type_}/{stored.id}"
        for type_ in _NUMBERED
        for stored in access.snapshot.find(Search(type_, (AnyOf(wanted),), limit=_MOST_FOUND), everything).rows
    )
    access.audited = replace(access.audited, sought=tuple(dict.fromkeys((*access.audited.sought, *found))))


def confidential_evidence(
    snapshot: Snapshot, record: RecordState, permit: Permit, at: datetime, profile: RuleProfile
) -> frozenset[str]:
    """Return the ids of the directives behind a permit of which not everybody on the patient's side may know.

    These are Consents and stays that a minor hides from guardians, and facts of care from a submission all of whose
    documents are hidden from guardians or sealed. A permit without such directives costs no read.
    """
    facts = hidden_facts(snapshot, record, at) if any(rule.outcome == SUPPORT for rule in permit.rules) else frozenset()
    if not is_minor(record, at, profile):
        return facts
    used = {id_ for rule in permit.rules for id_ in rule.consents}
    return facts | (used - snapshot.visible_ids("Consent", used, _left_open(record.patient))) if used else facts


def hidden_facts(snapshot: Snapshot, record: RecordState, at: datetime) -> frozenset[str]:
    """Return the ids of the facts of care of which not everybody on the patient's side may know."""
    facts = (one.id for one in record.directives if one.kind is DirectiveKind.CARE)
    return frozenset(id_ for id_ in facts if _is_hidden(snapshot, record.patient, id_, at))


def _is_hidden(snapshot: Snapshot, patient: PatientId, fact: str, at: datetime) -> bool:
    """Tell whether the stay or submission set behind a fact is hidden; a fact without a stored resource is not."""
    everything = whole_space(ReadingReason.CONFIDENTIALITY, patient)
    stay = snapshot.read("Encounter", fact, everything)
    if stay:
        return HIDDEN_FROM_GUARDIANS in stay.facts.access.marks
    documents = documents_behind(snapshot, patient, (f"List/{fact}",))
    return bool(documents) and not visible_documents(snapshot, documents, _left_open(patient, at), gone=True)


def _left_open(patient: PatientId, unsealed_at: datetime | None = None) -> SystemView:
    return left_open(ReadingReason.CONFIDENTIALITY, patient, HIDDEN_FROM_GUARDIANS, unsealed_at=unsealed_at)


def documents_behind(snapshot: Snapshot, patient: PatientId | None, references: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the documents that lists, contents, Consents, audit events and notices of a space are about.

    System-level, as `is_confidential`. A reference to a document gives its own id and costs no read.
    """
    found: dict[str, None] = {}
    for reference in references:
        type_, _, rest = reference.partition("/")
        id_ = rest.partition("/")[0]
        if type_ in DOCUMENTS or type_ == "*":
            found[id_] = None
        elif type_ in _BEHIND and patient:
            stored = snapshot.read(type_, id_, whole_space(ReadingReason.CONFIDENTIALITY, patient))
            found |= dict.fromkeys(_behind(stored) if stored else ())
    return tuple(found)


def documents_there(snapshot: Snapshot, patient: PatientId | None, references: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of `documents_behind` that exist in the space, deleted documents too."""
    found = documents_behind(snapshot, patient, references)
    if not found:
        return ()
    everything = whole_space(ReadingReason.CONFIDENTIALITY, patient or NO_SPACE)
    there = visible_documents(snapshot, found, everything, gone=True)
    return tuple(id_ for id_ in found if id_ in there)


def _behind(stored: Stored) -> tuple[str, ...]:
    return stored.facts.documents or tuple(sorted(documents_named(stored.body) if stored.type in _NAMING else ()))


def _is_confidential(snapshot: Snapshot, patient: PatientId | None, reference: str) -> bool:
    type_, _, rest = reference.partition("/")
    everything = whole_space(ReadingReason.CONFIDENTIALITY, patient or NO_SPACE)
    asked = snapshot.read(type_, rest.partition("/")[0], everything) if patient and rest else None
    if asked is None:
        return False
    gathered = [snapshot.read(name, id_, everything) for id_ in asked.facts.documents for name in DOCUMENTS]
    return any(HIDDEN_FROM_GUARDIANS in one.facts.access.marks for one in (asked, *gathered) if one)
