"""Merging two recorded identities of one person, and undoing it: nothing is moved, and nothing opens to anybody new.

Each space keeps its documents, Consents and journal. The two Patients point to each other, and what closes in one
space closes in both (`consent_rules.merging`). So the undoing takes the links back, and has nothing to move back.
Source: https://hl7.org/fhir/R5/patient-operation-merge.html; docs/adr/0125-a-merge-joins-what-closes.md (AC51).
"""

from dataclasses import dataclass, replace
from functools import partial

import orjson

from consent_rules.lifecycle import status_at
from consent_rules.model import Merge
from consent_rules.vocabulary import Action, PatientId, RequesterKind, SpaceStatus
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.access import Opened
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out, is_registry_operator
from fhir_server.application.reading.read import not_found
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.registry import PATIENT, REGISTRY

_ROW = REGISTRY[PATIENT]


@dataclass(frozen=True, slots=True)
class Named:
    """One of the two identities, by id, by identifiers that all name it, or by both. role: in the operation."""

    role: str
    id: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the call. result: the target Patient as stored. changed: whether the call changed anything."""

    id: str
    result: Json
    changed: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """One identity of a merge: its entered space, its Patient, and whether the other one replaces it."""

    opened: Opened
    stored: Stored
    is_source: bool

    @property
    def body(self) -> Json:
        """The Patient."""
        found: Json = orjson.loads(self.stored.body)
        return found


@command(EventKind.IDENTITIES_MERGED, EventKind.MERGE_PREVIEWED)
def merge(runtime: Runtime, caller: Caller, source: Named, target: Named, *, preview: bool = False) -> Merged:
    """Merge the source into the target; preview: only say whether this is possible.

    Merging what is merged already changes nothing. For the software without an establishment that recorded both.
    Raises: Problem(FORBIDDEN) for anybody else, NOT_FOUND for an identity that the caller did not record,
    BUSINESS_RULE when the two cannot be merged.
    """
    kind = EventKind.MERGE_PREVIEWED if preview else EventKind.IDENTITIES_MERGED
    plan = partial(_plan_merge, source=source, target=target, preview=preview)
    return carry_out(runtime, caller, interaction_of(kind), plan)


@command(EventKind.IDENTITIES_UNMERGED)
def unmerge(runtime: Runtime, caller: Caller, source: Named, target: Named) -> Merged:
    """Undo the merge of two identities; undoing what is not merged changes nothing.

    Raises: Problem(FORBIDDEN) and NOT_FOUND as `merge`; BUSINESS_RULE when one is merged with another identity.
    """
    return carry_out(
        runtime,
        caller,
        interaction_of(EventKind.IDENTITIES_UNMERGED),
        partial(_plan_unmerge, source=source, target=target),
    )


def _plan_merge(work: UnitOfWork, source: Named, target: Named, *, preview: bool) -> Merged:
    old, new = _sides(work, source, target)
    present = _merge_of(old, new)
    if present:
        return _unchanged(work, old, new, present.id)
    for side in (old, new):
        _demand_open(work, side)
    if old.opened.record.birth_date != new.opened.record.birth_date:
        text = "the two birth dates differ: if this is one person, correct the wrong one first"
        raise Problem.of(Category.BUSINESS_RULE, text, "Patient.birthDate", "birth-dates-differ")
    id_, was_active = work.runtime.ports.ids.new(), old.body.get("active")
    if preview:
        return replace(_unchanged(work, old, new, ""), result=_linked(new, old.opened.patient))
    for side, other in ((old, new), (new, old)):
        said = Merge(id_, other.opened.patient, side.is_source, work.at, was_active if side.is_source else None)
        _write(work, side, _linked(side, other.opened.patient), said)
    return Merged(id_, _result(work, new), changed=True)


def _plan_unmerge(work: UnitOfWork, source: Named, target: Named) -> Merged:
    old, new = _sides(work, source, target)
    present = _merge_of(old, new)
    if present is None:
        return _unchanged(work, old, new, "")
    for side, other in ((old, new), (new, old)):
        _write(work, side, _unlinked(side, other.opened.patient, present.was_active), None)
    return Merged(present.id, _result(work, new), changed=True)


def _sides(work: UnitOfWork, source: Named, target: Named) -> tuple[_Side, _Side]:
    """Find and enter both spaces, the target last.

    Raises: Problem; a caller of another kind gets the same one, whatever patients are named.
    """
    requester = work.caller.requester
    if requester.kind is not RequesterKind.SYSTEM or requester.organization:
        text = "only the operator of the directory merges identities; no person and no establishment may"
        raise Problem.of(Category.FORBIDDEN, text, code="not-entitled")
    smart_scopes.demand(work.caller, (PATIENT,), "u")
    patients = [_identified(work, named) for named in (source, target)]
    for patient in patients:
        if not is_registry_operator(work, patient):
            raise not_found()
    if patients[0] == patients[1]:
        raise Problem.of(Category.BUSINESS_RULE, "source and target are the same patient", code="same-patient")
    entered = [open_record(work, patient, Action.OPERATE_REGISTRY) for patient in patients]
    return _side(work, entered[0], is_source=True), _side(work, entered[1], is_source=False)


def _identified(work: UnitOfWork, named: Named) -> PatientId:
    """Return the one patient whom the id and every identifier name.

    Raises: Problem(MALFORMED) when nothing is named, NOT_FOUND for nobody and for several.
    """
    found = {work.identify(*pair) for pair in named.identifiers} | ({PatientId(named.id)} if named.id else set())
    if not found:
        text = f"name the {named.role} with `{named.role}-patient` or `{named.role}-patient-identifier`"
        raise Problem.of(Category.MALFORMED, text, f"{named.role}-patient", "required")
    patient = found.pop()
    if found or patient is None:
        raise not_found()
    return patient


def _side(work: UnitOfWork, opened: Opened, *, is_source: bool) -> _Side:
    stored = work.read(PATIENT, opened.patient, opened)
    if stored is None:
        raise not_found()
    return _Side(opened, stored, is_source)


def _merge_of(old: _Side, new: _Side) -> Merge | None:
    """Return the merge of exactly these two identities, in this direction; None when neither is merged.

    Raises: Problem(BUSINESS_RULE) when one of them is merged otherwise.
    """
    said, answered = old.opened.record.merged, new.opened.record.merged
    if said is None and answered is None:
        return None
    if said and answered and said.id == answered.id and said.replaced:
        return said
    text = "one of the two is merged already, with another identity or in the other direction: undo that first"
    raise Problem.of(Category.BUSINESS_RULE, text, code="merged")


def _demand_open(work: UnitOfWork, side: _Side) -> None:
    """Refuse a space that is not open, and one whose erasure was asked for."""
    record = side.opened.record
    if status_at(record, work.at, work.runtime.profile) is SpaceStatus.ACTIVE and record.erasure_asked_at is None:
        return
    role = "source" if side.is_source else "target"
    text = f"the space of the {role} is not open: identities are merged only while both spaces are open"
    raise Problem.of(Category.BUSINESS_RULE, text, f"{role}-patient", "space-not-open")


def _linked(side: _Side, other: PatientId) -> Json:
    """Return the Patient with its link to the other; the source is no longer active."""
    type_ = "replaced-by" if side.is_source else "replaces"
    link = {"other": {"reference": f"{PATIENT}/{other}"}, "type": type_}
    linked = side.body | {"link": [*side.body.get("link", ()), link]}
    return linked | {"active": False} if side.is_source else linked


def _unlinked(side: _Side, other: PatientId, was_active: bool | None) -> Json:  # noqa: FBT001
    """Return the Patient without its last link to the other one; the source gets its former `active` back."""
    body = side.body
    links = list(body.pop("link", ()))
    places = [n for n, one in enumerate(links) if one.get("other", {}).get("reference") == f"{PATIENT}/{other}"]
    left = [one for n, one in enumerate(links) if n not in places[-1:]]
    if left:
        body["link"] = left
    if side.is_source:
        body.pop("active", None)
        if was_active is not None:
            body["active"] = was_active
    return body


def _write(work: UnitOfWork, side: _Side, resource: Json, said: Merge | None) -> None:
    """Plan one side: the Patient, the state of its space, the notice, and the event in its own journal."""
    work.note_opened(side.opened)
    patient, before = side.opened.patient, side.stored
    version = before.version + 1
    body = bodies.stamped(resource, patient, version, work.stamp)
    facts = facts_of(orjson.loads(body), before.facts.access, _ROW)
    work.change(before, work.version(PATIENT, patient, version, body, facts))
    work.decide(replace(work.record(), merged=said))
    notices_owed.of_space(work, work.record(), work.audited.event_kind)
    _trace(work, patient)


def _trace(work: UnitOfWork, patient: PatientId) -> None:
    reference = f"{PATIENT}/{patient}"
    work.trace(replace(work.audited, target=reference), (reference,))


def _unchanged(work: UnitOfWork, old: _Side, new: _Side, id_: str) -> Merged:
    """Answer a call that changes nothing; both journals tell that it was made."""
    for side in (old, new):
        work.note_opened(side.opened)
        _trace(work, side.opened.patient)
    return Merged(id_, new.body, changed=False)


def _result(work: UnitOfWork, side: _Side) -> Json:
    found: Json = orjson.loads(work.latest(side.stored).body)
    return found
