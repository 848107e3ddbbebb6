"""Hiding and showing, archiving, withdrawing a document: a PATCH may change these three elements and no other.

Source: PDSm 3.1.1, flux 03 and 04 (https://interop.esante.gouv.fr/ig/fhir/pdsm/); ANS PDSM4DMP, TD3.3a to TD3.3d;
docs/labels.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS, sealed_until
from consent_rules.vocabulary import Action, Mark, PatientId
from fhir_server.application.core import notices_owed, smart_scopes, unit_of_work
from fhir_server.application.core.access import PATIENTS_SIDE, Opened
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.documents import replacement_chain, versions
from fhir_server.application.reading import conditional
from fhir_server.application.reading.read import not_found
from fhir_server.domain import bodies, conditional_requests
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.documents import security_labels
from fhir_server.domain.notices import Kind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters
from fhir_server.r4.parsing import load_json
from fhir_server.r4.patch import Patch, demand_valid
from fhir_server.registry import REGISTRY

ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
_CHANGEABLE = frozenset({"status", "securityLabel", "extension"})
_WITHDRAWN = "entered-in-error"
_TRANSITIONS = frozenset({("current", "superseded"), ("current", _WITHDRAWN), ("superseded", _WITHDRAWN)})
_LABELS = "DocumentReference.securityLabel"


@dataclass(frozen=True, slots=True)
class _Found:
    """A document that the caller may change, as the caller sees it."""

    stored: Stored
    filters: Filters
    seen: Json

    @property
    def knows(self) -> bool:
        return self.filters.of(self.stored.type).knows_marks(self.stored.facts.access)


def _matched(work: UnitOfWork, query: str) -> str:
    """Return the id of the one document that meets a condition.

    Raises: Problem(NOT_FOUND), MULTIPLE_MATCHES.
    """
    smart_scopes.demand(work.caller, ("DocumentReference",), "u")
    condition = conditional_requests.parse(query)
    id_ = conditional.only_match(
        conditional.matching_ids(work, REGISTRY["DocumentReference"], condition, Action.CHANGE_MARKS, "u")
    )
    if not id_:
        raise not_found()
    return id_


def plan_patch(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan a change of one document."""
    change, id_ = request.patch, request.id or _matched(work, request.condition)
    if change.of_confidential:
        work.carries_confidential()
    patient, limits = _space_of(work, id_)
    found = _seen(work, id_, open_unnamed(work, patient, Action.CHANGE_MARKS), limits)
    unit_of_work.demand_match(request.if_match, found.stored, knows_marks=found.knows)
    wanted = _patched(found, change)
    _refuse_other_elements(found.seen, wanted)
    marks = _wanted_marks(found, wanted, change)
    if wanted.get("status") == _WITHDRAWN and found.seen.get("status") != _WITHDRAWN:
        return _withdraw(work, found)
    resource = _wanted_resource(work, found, wanted)
    if resource is not None:
        versions.rewrite(work, found.stored, resource)
    if marks != found.stored.facts.access.marks:
        _relabel(work, found, marks)
    latest = work.latest(found.stored)
    _trace_patch(work, found, latest)
    if latest is not found.stored:
        notices_owed.of_documents(work, Kind.CHANGED, (latest,))
    is_own = versions.is_depositor(work.caller, latest)  # depositors may see what they filed without a notice
    if not is_own and smart_scopes.lets_read(work.caller, "DocumentReference", latest.facts.access):
        notices_owed.of_reading(work, id_)
    return Written(work.shown(latest, found.filters))


def _trace_patch(work: UnitOfWork, found: _Found, latest: Stored) -> None:
    """Audit a change; a patch that changed nothing is audited as a read."""
    hides = latest.facts.access.marks != found.stored.facts.access.marks
    changed = latest is not found.stored
    audited = AuditedInteraction(Interaction.PATCH if changed else Interaction.READ, "DocumentReference", choice=hides)
    touched = (f"DocumentReference/{latest.id}",)
    work.trace(audited, touched, reason="" if changed else "nothing-changed")


def _patched(found: _Found, change: Patch) -> Json:
    """Apply the patch to the document as the caller sees it; the result must still be a valid R4 resource."""
    seen = orjson.dumps(found.seen)
    wanted = change.apply(orjson.loads(seen))
    demand_valid(wanted, seen)
    return wanted


def _space_of(work: UnitOfWork, id_: str) -> tuple[PatientId, smart_scopes.Limits]:
    """Return the patient in whose space a document is, and the limits that the scopes set on changes there."""
    smart_scopes.demand(work.caller, ("DocumentReference",), "u")
    work.names(f"DocumentReference/{id_}")
    location = work.snapshot.locate("DocumentReference", id_)
    if location is None:
        raise not_found()
    try:
        return location.compartment, smart_scopes.demand(work.caller, ("DocumentReference",), "u", location.compartment)
    except Problem as problem:
        raise not_found() from problem


def _seen(work: UnitOfWork, id_: str, opened: Opened | None, limits: smart_scopes.Limits) -> _Found:
    """Return a document as the caller sees it in the space that was opened; else the answer for an unknown id."""
    if opened is None:
        raise not_found()
    filters = opened.within(work.caller, "u", {"DocumentReference": limits})
    stored = work.read("DocumentReference", id_, filters)
    if stored is None:
        raise not_found()
    shown = work.shown(stored, filters)
    return _Found(stored, filters, orjson.loads(bodies.body_for(shown.stored, knows_marks=shown.knows_marks)))


def _refuse_other_elements(seen: Json, wanted: Json) -> None:
    """Let only status, securityLabel and the archive flag change."""
    changed = [name for name in {**seen, **wanted} if seen.get(name) != wanted.get(name)]
    faults = [
        Issue("this element cannot be changed", f"DocumentReference.{name}", "immutable")
        for name in changed
        if name not in _CHANGEABLE
    ]
    if "extension" in changed and _other_extensions(seen) != _other_extensions(wanted):
        faults.append(Issue("only the archive flag can be changed", "DocumentReference.extension", "immutable"))
    if faults:
        raise Problem(Category.IMMUTABLE_ELEMENT, *faults)


def _other_extensions(resource: Json) -> list[Json]:
    return [extension for extension in resource.get("extension", []) if extension.get("url") != ARCHIVED]


def _archived(resource: Json) -> list[object]:
    return [item.get("valueBoolean") for item in resource.get("extension", []) if item.get("url") == ARCHIVED]


def _wanted_marks(found: _Found, wanted: Json, change: Patch) -> Mark:
    """Return the marks that the document is to have; marks that the caller does not see stay.

    Raises: Problem(BUSINESS_RULE) when replacing a label by its index would drop another mark.
    """
    known = found.stored.facts.access.marks if found.knows else Mark.NONE
    hidden = found.stored.facts.access.marks & ~known
    for index, concept in enumerate(wanted.get("securityLabel", [])):
        if any(security_labels.is_unknown_mark(coding) for coding in concept.get("coding", [])):
            where = f"{_LABELS}[{index}]"
            raise Problem.of(Category.BUSINESS_RULE, "this visibility status is not known", where, "code-invalid")
    asked = security_labels.split_marks(wanted)[1]
    if change.by_index and known & ~asked and asked & ~known:
        text = "replacing this label would also remove a visibility mark; remove that mark by its code, then add one"
        raise Problem.of(Category.BUSINESS_RULE, text, _LABELS, "other-mark")
    return asked | hidden


def _wanted_resource(work: UnitOfWork, found: _Found, wanted: Json) -> Json | None:
    """Return the new version of the document without its marks, None when only marks change."""
    changed: Json = {}
    _take_status(work, found, wanted, changed)
    _take_archived(work, found, wanted, changed)
    _take_confidentiality(work, found, wanted, changed)
    if not changed:
        return None
    merged = load_json(found.stored.body) | changed
    return {name: value for name, value in merged.items() if value != []}


def _take_status(work: UnitOfWork, found: _Found, wanted: Json, changed: Json) -> None:
    before, after = found.seen.get("status"), wanted.get("status")
    if before == after:
        return
    if (before, after) not in _TRANSITIONS:
        text = f"the status cannot change from `{before}` to `{after}`"
        raise Problem.of(Category.BUSINESS_RULE, text, "DocumentReference.status", "value")
    versions.demand_depositor(work, found.stored, "DocumentReference.status")
    changed["status"] = after


def _take_archived(work: UnitOfWork, found: _Found, wanted: Json, changed: Json) -> None:
    before, after = _archived(found.seen), _archived(wanted)
    if before == after:
        return
    where = "DocumentReference.extension"
    if len(after) > 1 or not all(isinstance(value, bool) for value in after):
        raise Problem.of(Category.BUSINESS_RULE, "the archive flag must be one boolean", where, "value")
    holder = work.caller.requester.kind in PATIENTS_SIDE
    if not (holder or versions.is_depositor(work.caller, found.stored)):
        text = "only the depositor, the patient or whoever acts for the patient may set or clear the archive flag"
        raise Problem.of(Category.FORBIDDEN, text, where, "not-depositor")
    flags = [item for item in wanted.get("extension", []) if item.get("url") == ARCHIVED]
    changed["extension"] = [*_other_extensions(load_json(found.stored.body)), *flags]


def _take_confidentiality(work: UnitOfWork, found: _Found, wanted: Json, changed: Json) -> None:
    """Take over new labels that are no marks; a label that is missing beside a change of marks stays (E6: always N).

    Raises: Problem(BUSINESS_RULE) when the patch only removes labels: the document would have no confidentiality code.
    """
    before, after = security_labels.confidentiality(found.seen), security_labels.confidentiality(wanted)
    if all(label in before for label in after):
        known = found.stored.facts.access.marks if found.knows else Mark.NONE
        if len(after) < len(before) and security_labels.split_marks(wanted)[1] == known:
            text = "a document must have a confidentiality label; replace the label instead of removing it"
            raise Problem.of(Category.BUSINESS_RULE, text, _LABELS, "required")
        return
    versions.demand_depositor(work, found.stored, _LABELS)
    changed["securityLabel"] = after


def _relabel(work: UnitOfWork, found: _Found, marks: Mark) -> None:
    """Plan new marks for the document and its whole replacement chain."""
    access = found.stored.facts.access
    versions.demand_marks(work, access, marks, _LABELS)
    sealed = None
    if marks & Mark.INVISIBLE_PATIENT:
        sealed = access.sealed_until or sealed_until(_filed_at(work, found.stored), work.runtime.profile)
    like = replace(access, marks=marks, sealed_until=sealed)
    replacement_chain.align(work, replacement_chain.members(work, found.stored), like)
    if marks & HIDDEN_FROM_GUARDIANS & ~access.marks:
        replacement_chain.keep_confidential(work, found.stored.id)


def _filed_at(work: UnitOfWork, stored: Stored) -> datetime:
    versions = work.snapshot.history(
        stored.type, stored.id, whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment)
    )
    return versions[-1].last_updated


def _withdraw(work: UnitOfWork, found: _Found) -> Written:
    """Plan the deletion that PDSM4DMP writes as a status; only the answer shows that status, it is not stored."""
    after = versions.withdraw(work, found.stored)
    resource = load_json(found.stored.body) | {"status": _WITHDRAWN}
    body = bodies.stamped(resource, after.id, after.version, work.stamp)
    audited = AuditedInteraction(Interaction.DELETE, "DocumentReference")
    work.trace(audited, (f"DocumentReference/{after.id}",))
    notices_owed.of_documents(work, Kind.CHANGED, (after,))
    return Written(work.shown(replace(after, deleted=False, body=body), found.filters))
