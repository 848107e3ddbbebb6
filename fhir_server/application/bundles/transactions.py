"""Batch and transaction: a batch does each entry alone, a transaction does all entries in one commit.

A transaction that files documents is a submission and goes to `publication`. Any other transaction may write directory
resources, Consents and labels of documents. The calling code answers entries that only read, after the writes.

Source: https://hl7.org/fhir/R4/http.html#transaction and #trules.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

import orjson

from fhir_server.application.bundles import handlers
from fhir_server.application.bundles.entries import METHODS, Entry, entries_of, entry_faults, refuse_twice
from fhir_server.application.bundles.handlers import HANDLERS, NO_HANDLER
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.documents import publication
from fhir_server.application.reading import conditional
from fhir_server.domain import conditional_requests, references
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import translator
from fhir_server.domain.documents.submission_reading import is_submission
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.references import documents_named
from fhir_server.domain.values import Interaction, Json
from fhir_server.r4 import patch
from fhir_server.registry import REGISTRY, AccessRule, ResourceType, types_under

_INTERACTIONS = {
    "POST": Interaction.CREATE,
    "PUT": Interaction.UPDATE,
    "PATCH": Interaction.PATCH,
    "DELETE": Interaction.DELETE,
}
_NAMING = types_under(AccessRule.DIRECTIVE)
"""Types whose resources may name the documents that they are about."""
_LETTERS = {"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}


@translator
def transact(runtime: Runtime, caller: Caller, bundle: Json) -> tuple[Written | None, ...]:
    """Do all writes of a transaction in one commit, or none; None stands for an entry that reads or deletes.

    Raises: whatever one entry raises; Problem(INVALID) with the faults of all entries before anything is decided.
    """
    files = is_submission(bundle)
    audited = publication.SUBMISSION if files else AuditedInteraction(Interaction.TRANSACTION, "Bundle")

    def plan(work: UnitOfWork) -> tuple[Written | None, ...]:
        entries = entries_of(bundle)
        faults = [fault for entry in entries for fault in entry_faults(entry)]
        if faults:
            raise Problem(Category.INVALID, *faults)
        if files:
            return publication.plan_publication(work, bundle).entries
        refuse_twice(entries)
        return _plan(work, entries)

    return carry_out(runtime, caller, audited, plan)


@translator
def perform(runtime: Runtime, caller: Caller, entry: Entry) -> Written | None:
    """Do one writing entry of a batch; None when it deletes.

    Raises: whatever the write raises; Problem(INVALID) for a reference to another entry of the batch.
    """
    faults = entry_faults(entry)
    if faults:
        raise Problem(Category.INVALID, *faults)
    _refuse_urns([entry], frozenset())
    audited = _audited_alone(entry)
    return carry_out(runtime, caller, audited, lambda work: _plan_one(work, entry, ""))


def _audited_alone(entry: Entry) -> AuditedInteraction:
    row = REGISTRY.get(entry.type) if entry.method == "POST" else None
    transaction = row.transactions.get(Interaction.CREATE, "") if row else ""
    target = f"{entry.type}/{entry.id}" if entry.method != "POST" and entry.id else ""
    return AuditedInteraction(_INTERACTIONS[entry.method], entry.type, transaction, target=target)


def _plan(work: UnitOfWork, entries: tuple[Entry, ...]) -> tuple[Written | None, ...]:
    sent = sorted((e for e in entries if not e.asks), key=_rank)
    _refuse_by_itself(work, sent)
    _note_secrets(work, sent)
    writes = sorted(_settled(work, sent), key=_rank)
    refuse_twice(tuple(writes))
    ids = {e.index: work.runtime.ports.ids.new() for e in writes if e.method == "POST"}
    names = _names(work, writes, ids)
    answers: dict[int, Written | None] = {}
    work.coming = frozenset((e.type, ids[e.index]) for e in writes if e.index in ids and _is_of_directory(e))
    for entry in writes:
        resolved = replace(entry, resource=references.rewritten(entry.resource, names))
        answers[entry.index] = _plan_one(work, resolved, ids.get(entry.index, ""))
    return tuple(answers.get(entry.index) for entry in entries)


def _is_of_directory(entry: Entry) -> bool:
    return _row(entry).access is AccessRule.DIRECTORY


def _settled(work: UnitOfWork, writes: list[Entry]) -> Iterator[Entry]:
    """Yield the writes; a write by criteria becomes one of the resource that met them before the transaction.

    A deletion by criteria that nothing meets is left out.

    Raises: as `handlers.settled_by_match`.
    """
    for entry in writes:
        if entry.method == "POST" or not entry.query:
            yield entry
            continue
        settled = _settle(work, entry)
        if settled is None:
            continue
        if settled.interaction is Interaction.CREATE:
            yield replace(entry, method="POST", url=entry.type)
        else:
            sent = entry.resource if entry.method != "PUT" else settled.resource
            yield replace(entry, url=f"{entry.type}/{settled.id}", resource=sent)


def _settle(work: UnitOfWork, entry: Entry) -> WriteRequest | None:
    """Settle one write by criteria; when nothing meets them, the event is in the space in which this entry looked.

    The space of an earlier entry must not get that event: it would tell its holder what is in no other space.
    Raises: as `handlers.settled_by_match`.
    """
    patient, refused = work.patient, work.refused
    work.patient, work.refused = None, False
    settled = handlers.settled_by_match(work, _request(work, entry, ""))
    if settled is None:
        handlers.trace_nothing(work)
    if work.patient is None:
        work.patient, work.refused = patient, work.refused or refused
    return settled


def _refuse_by_itself(work: UnitOfWork, writes: list[Entry]) -> None:
    """Refuse faults that do not depend on the store, before any look-up: the answer reveals nothing about patients.

    Raises: as `transact`.
    """
    _refuse_urns(writes, {entry.full_url for entry in writes if entry.method in ("POST", "PUT") or entry.id})
    for entry in writes:
        if entry.method in ("POST", "PUT") and HANDLERS[_row(entry).name].rank is None:
            raise Problem.of(Category.METHOD_NOT_ALLOWED, "send a document in a submission (ITI-65)", entry.at_url)
        _demand_form(entry)
        smart_scopes.demand(work.caller, (entry.type,), _LETTERS[entry.method])
        if entry.query:
            _request(work, entry, "").criteria(work.runtime.fhir_base)
        if entry.method == "POST" and entry.if_none_exist:
            _request(work, entry, "").criteria(work.runtime.fhir_base)
        for expression, reference in references.references_in(entry.resource, entry.root):
            if conditional.is_conditional(reference["reference"]):
                conditional_requests.parse(reference["reference"].partition("?")[2], f"{expression}.reference")


def _note_secrets(work: UnitOfWork, writes: list[Entry]) -> None:
    """Note what the entries name, before any look-up: a failure is as confidential as what it names (B10)."""
    work.names(*(f"{entry.type}/{entry.id}" for entry in writes if entry.method != "POST" and entry.id))
    choices = [entry.resource for entry in writes if entry.type in _NAMING and entry.method in ("POST", "PUT")]
    work.carries(*choices)
    named = documents_named(orjson.dumps(choices)) if choices else ()
    work.names(*(f"DocumentReference/{id_}" for id_ in sorted(named)))


def _demand_form(entry: Entry) -> None:
    """Refuse an entry that lacks what its method needs."""
    if entry.method == "PUT" and entry.id and entry.resource.get("id") != entry.id:
        raise Problem.of(Category.INVALID, "`id` is not the one of the URL", f"{entry.root}.id", "value")
    if entry.method == "PATCH":
        patch.of_entry(entry.resource, entry.root)


def _rank(entry: Entry) -> tuple[int, int, int]:
    rank = HANDLERS.get(entry.type, NO_HANDLER).rank
    return METHODS.index(entry.method), len(HANDLERS) if rank is None else rank, entry.index


def _names(work: UnitOfWork, writes: list[Entry], ids: Mapping[int, str]) -> dict[str, str]:
    """Return the literal reference that replaces each fullUrl and each conditional reference."""
    names: dict[str, str] = {}
    for entry in writes:
        if entry.method == "POST":
            found = _matched(work, entry) if entry.if_none_exist else ""
            names[entry.full_url] = f"{entry.type}/{found or ids[entry.index]}"
        elif entry.full_url.startswith("urn:"):
            names[entry.full_url] = f"{entry.type}/{entry.id}"
    names.pop("", None)
    for entry in writes:
        for expression, reference in references.references_in(entry.resource, entry.root):
            literal = reference["reference"]
            if conditional.is_conditional(literal) and literal not in names:
                where = f"{expression}.reference"
                names[literal] = _among(writes, ids, literal, where) or conditional.resolve(work, literal, where)
    return names


def _matched(work: UnitOfWork, entry: Entry) -> str:
    return HANDLERS[entry.type].match(work, _request(work, entry, ""))


def _among(writes: list[Entry], ids: Mapping[int, str], conditional: str, where: str) -> str:
    """Return the reference of the one new resource of this transaction that a conditional reference names."""
    type_, _, query = conditional.partition("?")
    condition = conditional_requests.parse(query, where)
    found = [
        f"{type_}/{ids[entry.index]}"
        for entry in writes
        if entry.method == "POST"
        and entry.type == type_
        and any(
            (item.get("system"), item.get("value")) == (condition.system, condition.value)
            for item in entry.resource.get("identifier", [])
        )
    ]
    return found[0] if len(found) == 1 else ""


def _refuse_urns(entries: list[Entry], names: Container[str]) -> None:
    """Refuse references to entries that the Bundle does not have."""
    faults = [
        Issue("no entry has this `fullUrl`", f"{expression}.reference", "dangling")
        for entry in entries
        for expression, reference in references.references_in(entry.resource, entry.root)
        if reference["reference"].startswith("urn:") and reference["reference"] not in names
    ]
    if faults:
        raise Problem(Category.INVALID, *faults)


def _row(entry: Entry) -> ResourceType:
    interaction = _INTERACTIONS[entry.method]
    row = REGISTRY.get(entry.type)
    if row is None:
        raise Problem.of(Category.NOT_FOUND, "this resource type is not offered", entry.at_url)
    if interaction not in row.interactions:
        raise Problem.of(Category.METHOD_NOT_ALLOWED, "this interaction is not offered here", entry.at_url)
    return row


def _plan_one(work: UnitOfWork, entry: Entry, id_: str) -> Written | None:
    return handlers.plan_of(_request(work, entry, id_))(work)


def _request(work: UnitOfWork, entry: Entry, id_: str) -> WriteRequest:
    row, interaction = _row(entry), _INTERACTIONS[entry.method]
    named = id_ if interaction is Interaction.CREATE else entry.id  # no client chooses the id of a new resource
    asked = WriteRequest(
        interaction, row, named, condition=entry.query, criteria_at=entry.at_url, if_match=entry.if_match
    )
    asked = replace(asked, only_new=entry.if_none_match.strip() == "*")
    if interaction is Interaction.DELETE:
        return asked
    if interaction is Interaction.PATCH:
        return replace(asked, patch=patch.of_entry(entry.resource, entry.root))
    _demand_form(entry)
    asked = replace(asked, resource=entry.resource, root=entry.root)
    if interaction is not Interaction.CREATE:
        return asked
    where = f"Bundle.entry[{entry.index}].request.ifNoneExist"
    condition = conditional_requests.query_of(entry.if_none_exist, entry.type, work.runtime.fhir_base, where)
    return replace(asked, condition=condition, criteria_at=where)
