"""Who could see a document, and who has opened it; only the patient and the patient's representatives may ask.

`decide` answers for the professionals whom the space names, with their practice situations from the directory; for
everybody who practises today in an establishment that the space names; and for every health profession, in a care team
and in an emergency. The audit log tells who has opened the document: hiding it cannot take back their copies.
Source: rule E1, rules H3 and H5, and the patient's right to know who reads (F1); docs/operations.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from consent_rules.model import AccessRequest, Permit, RecordState, Requester
from consent_rules.tools.hypothetical_requesters import Stage, audience
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Purpose, RequesterKind, View
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, PATIENTS_SIDE, Access, Opened
from fhir_server.application.core.enforcement_point import answer_of, judge, open_unnamed
from fhir_server.application.core.minor_confidentiality import is_confidential, is_confidential_failure
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading.read import not_found
from fhir_server.domain.audit.audit_event_parts import PARTICIPATION
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters, Snapshot

_EVENTS = 500
_DONE = frozenset({tokens.any_system("outcome", "0")})
_READING = frozenset({tokens.any_system("action", code) for code in ("R", "E")})

_PLACES = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.ADMINISTRATOR})
_MEMBERS = 500
PROPOSALS = {
    "hidden": lambda marks: marks | Mark.MASQUE_PS,
    "visible": lambda marks: marks & ~Mark.MASQUE_PS,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """One person who has seen a document or its description. at: when this person last saw it."""

    person: str
    display: str
    at: datetime


def readers_of(snapshot: Snapshot, traces: Filters, document: str) -> tuple[Reader, ...]:
    """Return the professionals who have read a document, latest first, as far as the caller may read the audit events.

    document: id. Only the latest 500 reads count.
    """
    named = AnyOf(tokens.reference("entity", f"DocumentReference/{document}"))
    search = Search("AuditEvent", (named, AnyOf(_DONE), AnyOf(_READING)), sort="date", limit=_EVENTS)
    found: dict[str, Reader] = {}
    for stored in snapshot.find(search, traces).rows:
        event: Json = orjson.loads(stored.body)
        who = _person(event)
        if who.get("reference", "").startswith("Practitioner/"):
            at = datetime.fromisoformat(event["recorded"])
            found.setdefault(who["reference"], Reader(who["reference"], str(who.get("display", "")), at))
    return tuple(found.values())


def _person(event: Json) -> Json:
    for agent in event.get("agent", ()):
        if any(coding.get("system") == PARTICIPATION for coding in agent.get("type", {}).get("coding", ())):
            who: Json = agent.get("who", {})
            return who
    return {}


@dataclass(frozen=True, slots=True)
class Seer:
    """Somebody who might see the document. role: why. name: reference or code of a profession. display: name to show.

    sees: whether they see it now. would: whether they would with the proposed marks, None without a proposal.
    members: how many persons of an establishment see it now, None for anybody else.
    """

    role: str
    name: str
    display: str
    sees: bool
    would: bool | None = None
    members: int | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who sees a document, and who has seen it, latest first."""

    seers: tuple[Seer, ...] = ()
    readers: tuple[Reader, ...] = ()


@query
def audience_of(runtime: Runtime, caller: Caller, id_: str, proposed: str = "") -> Audience:
    """Tell who sees a document, who would see it if it were hidden or shown, and who has seen it; change nothing.

    proposed: "hidden", "visible" or "".
    Raises: Problem(FORBIDDEN) for anybody but the patient and representatives, for every id; NOT_FOUND for unknown and
    invisible documents alike; MALFORMED for another proposal.
    """
    if proposed and proposed not in PROPOSALS:
        raise Problem.of(Category.MALFORMED, f"`proposed` takes one of: {', '.join(PROPOSALS)}", code="proposed")
    audited = AuditedInteraction(
        Interaction.OPERATION, "DocumentReference", target=f"DocumentReference/{id_}", operation="audience"
    )
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        if caller.requester.kind not in PATIENTS_SIDE:
            raise _refused(access, id_)
        opened, facts = _find(access, id_)
        asked = _Question(access, _known(access, opened), facts) if facts and opened else None
        told = Audience(tuple(_seers(asked, proposed)), _readers(asked, id_)) if asked else Audience()
        confidential = facts is None and is_confidential_failure(access)
    if opened and facts:
        audit_log.record_outcome(access, opened.outcome(audited.target))
    elif opened:
        missed = opened.outcome(reason="not-visible", confidential=confidential)
        audit_log.record_outcome(access, replace(missed, code=OutcomeCode.REFUSED))
    if facts is None:
        raise not_found()
    return told


def _refused(access: Access, id_: str) -> Problem:
    """Audit that the caller may not ask, in the space of the document, and return the same answer for every id."""
    location = access.snapshot.locate("DocumentReference", id_)
    access.patient = location.compartment if location else None
    confidential = is_confidential(access, access.patient)
    audit_log.record_outcome(access, Outcome(OutcomeCode.REFUSED, "not-entitled", confidential=confidential))
    return Problem.of(Category.FORBIDDEN, "you may not call this operation", code="not-entitled")


def _readers(asked: "_Question", id_: str) -> tuple[Reader, ...]:
    """Return who has seen the document; nobody if the app may not read audit events."""
    access, patient = asked.access, asked.record.patient
    try:
        smart_scopes.demand(access.caller, ("AuditEvent",), "s", patient)
    except Problem:
        return ()
    entered = judge(access, patient, Action.READ_TRACES)
    return readers_of(access.snapshot, entered, id_) if isinstance(entered, Opened) else ()


def _find(access: Access, id_: str) -> tuple[Opened | None, AccessFacts | None]:
    """Return the entered space and the facts of the document; None for what the caller may not enter or see."""
    caller, snapshot, types = access.caller, access.snapshot, ("DocumentReference",)
    audit_log.demand_scope(access, types, "r")
    location = snapshot.locate("DocumentReference", id_)
    patient, limits = location.compartment if location else None, smart_scopes.UNLIMITED
    try:
        limits = smart_scopes.demand(caller, types, "r", patient)
        smart_scopes.demand(caller, ("Consent",), "r", patient)
    except Problem:
        patient = None
    if not patient:
        audit_log.record_outcome(access, Outcome(OutcomeCode.REFUSED, "not-visible"))
        return None, None
    opened = open_unnamed(access, patient, Action.DIRECT)
    if opened is None or not opened.is_for_patient:
        return None, None
    found = snapshot.read("DocumentReference", id_, opened.within(caller, "r", {"DocumentReference": limits}))
    return opened, found.facts.access if found and not found.deleted else None


def _known(access: Access, opened: Opened) -> RecordState:
    """Return the state without the directives whose Consents the caller may not read (B10)."""
    named = {directive.id for directive in opened.record.directives}
    shown = access.snapshot.visible_ids("Consent", named, opened)
    return replace(opened.record, directives=tuple(d for d in opened.record.directives if d.id in shown))


@dataclass(frozen=True, slots=True)
class _Question:
    access: Access
    record: RecordState
    facts: AccessFacts

    def marked(self, marks: Mark) -> "_Question":
        return replace(self, facts=replace(self.facts, marks=marks))

    def stage(self, people: dict[str, str]) -> Stage:
        runtime = self.access.runtime
        return Stage(self.record, runtime.matrix, runtime.profile, self.access.at, people)


def _seers(asked: _Question, proposed: str) -> Iterator[Seer]:
    snapshot = asked.access.snapshot
    named = {actor for directive in asked.record.directives for actor in directive.actors}
    named |= asked.facts.owners
    roles = {actor: _roles(snapshot, "practitioner", actor) for actor in named if _is(actor, "Practitioner")}
    people = {actor: code for actor, found in roles.items() if (code := _practised(snapshot, actor, found))}
    after = asked.marked(PROPOSALS[proposed](asked.facts.marks)) if proposed else None
    would = audience(after.stage(people), after.facts) if after else {}
    names = _Names(snapshot)
    for party, sees in audience(asked.stage(people), asked.facts).items():
        yield Seer(party.role, party.name, names.of(party.name), sees, would.get(party))
    for place in sorted(_places(asked.record)):
        yield _team(asked, after, place, names)


def _places(record: RecordState) -> set[str]:
    held = (directive for directive in record.directives if directive.kind in _PLACES)
    return {actor for directive in held for actor in directive.actors if _is(actor, "Organization")}


def _team(asked: _Question, after: _Question | None, place: str, names: "_Names") -> Seer:
    """Tell whether an establishment sees the document, by a decision for each person who practises there today."""
    members = [_member(role, place) for role in _roles(asked.access.snapshot, "organization", place)]
    seeing = [member for member in members if _sees(asked, member)]
    would = any(_sees(after, member) for member in members) if after else None
    return Seer("establishment", place, names.of(place), bool(seeing), would, len({one.person for one in seeing}))


def _member(role: Json, place: str) -> Requester:
    return Requester(
        RequesterKind.PROFESSIONAL,
        str(role.get("practitioner", {}).get("reference", "")),
        f"PractitionerRole/{role['id']}",
        place,
        profession=_profession(role),
    )


def _sees(asked: _Question, requester: Requester) -> bool:
    request = AccessRequest(requester, Action.CONSULT, Purpose.TREATMENT, asked.access.at)
    answer = answer_of(asked.access.runtime, request, asked.record)
    return isinstance(answer, Permit) and answer.sees(View.DOCUMENTS).admits(asked.facts)


def _is(reference: str, type_: str) -> bool:
    return reference.startswith(f"{type_}/")


def _roles(snapshot: Snapshot, name: str, reference: str) -> list[Json]:
    """Return the active practice situations that name a person or an establishment."""
    search = Search("PractitionerRole", (AnyOf(tokens.reference(name, reference)),), limit=_MEMBERS)
    found = (orjson.loads(stored.body) for stored in snapshot.find(search, IN_DIRECTORY).rows)
    return [role for role in found if role.get("active") is not False]


def _practised(snapshot: Snapshot, person: str, roles: list[Json]) -> str:
    """Return the profession of a person, from a practice situation or else from a qualification; "" when unknown."""
    if roles:
        return _profession(roles[0])
    found = snapshot.read("Practitioner", person.partition("/")[2], IN_DIRECTORY)
    body: Json = {} if found is None or found.deleted else orjson.loads(found.body)
    return _coded([item.get("code", {}) for item in body.get("qualification", ())])


def _profession(role: Json) -> str:
    return _coded(role.get("code", ()))


def _coded(concepts: Iterable[Json]) -> str:
    codings = (coding for concept in concepts for coding in concept.get("coding", ()))
    return next((str(c.get("code", "")) for c in codings if c.get("system") == tokens.PROFESSION_SYSTEM), "")


@dataclass(frozen=True, slots=True)
class _Names:
    """Looks names up in the directory, to show them beside references."""

    snapshot: Snapshot

    def of(self, reference: str) -> str:
        type_, _, id_ = reference.partition("/")
        if type_ not in {"Practitioner", "Organization"}:
            return ""
        found = self.snapshot.read(type_, id_, IN_DIRECTORY)
        if found is None or found.deleted:
            return ""
        body: Json = orjson.loads(found.body)
        if type_ == "Organization":
            return str(body.get("name", ""))
        name: Json = next(iter(body.get("name", ())), {})
        words = (*name.get("prefix", ()), *name.get("given", ()), name.get("family", ""))
        return str(name.get("text", "")) or " ".join(word for word in words if word)
