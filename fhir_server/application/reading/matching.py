"""Looking a patient up by traits or by an identifier: the candidates, each with the identity traits alone.

It is a look-up of identities: each candidate that is returned counts as one, and an answer without any counts as one
too. Each candidate reads in their own journal who looked them up. Nobody walks through the population: too few traits
are refused, and nobody is returned when more people match than a handful.
Source: https://profiles.ihe.net/ITI/PDQm (ITI-78, ITI-119); https://hl7.org/fhir/R4/patient-operation-match.html; rules
I8 and V10; docs/adr/0116-looking-up-by-traits.md.
"""

from dataclasses import dataclass, replace

import orjson

from consent_rules.vocabulary import Action, Code, PatientId, RequesterKind
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.ceilings import reached
from fhir_server.application.core.ceilings.tallies import Tally
from fhir_server.application.core.enforcement_point import open_record, open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.read import NOBODY, present
from fhir_server.deadline import demand_time
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.directory import identity_keys, identity_traits
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Change
from fhir_server.registry import PATIENT

MOST = 5
"""How many candidates are returned at most; when more match, nobody is."""
_MOST_JUDGED = 20
_MAY_LOOK_UP = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.SYSTEM})
_TOO_FEW = (
    "state an identifier with its system, or the family name, the whole birth date, and a given name or the INSEE code "
    "of the birth place"
)


class Grade(Code):
    """How sure a match is, by what was asked: codes of http://terminology.hl7.org/CodeSystem/match-grade."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who matches, each with the identity traits alone. too_many: nobody is returned because too many match."""

    shown: tuple[Shown, ...]
    grade: Grade
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A Patient with the traits or the identifier of the person who is looked for. most: candidates to be returned."""

    patient: Json
    most: int = MOST
    certain_only: bool = False


@query
def match(runtime: Runtime, caller: Caller, asked: Asked) -> Candidates:
    """Return who matches a Patient (ITI-119).

    Raises: Problem(INVALID) for too few traits; FORBIDDEN for whoever may look nobody up; at a ceiling, as
    `reached.commit`.
    """
    return _look_up(runtime, caller, AuditedInteraction(Interaction.OPERATION, PATIENT, operation="match"), asked)


@query
def search_by_traits(runtime: Runtime, caller: Caller, asked: Asked, path: str) -> Candidates:
    """Return who has the traits of a search (ITI-78). path: method and path of the request, without the traits."""
    audited = AuditedInteraction(Interaction.SEARCH, PATIENT, query=path, operation="match")
    return _look_up(runtime, caller, audited, asked)


def _look_up(runtime: Runtime, caller: Caller, audited: AuditedInteraction, asked: Asked) -> Candidates:
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        audit_log.demand_scope(access, (PATIENT,), "s")
        _demand_may_look_up(access)
        wanted = _keys(asked.patient)
        if not wanted:
            problem = Problem.of(Category.INVALID, _TOO_FEW, "Patient", "required")
            audit_log.record_refusal(runtime, caller, audited, problem)
            raise problem
        found = snapshot.compartments_with(PATIENT, wanted, _MOST_JUDGED)
        within = (PatientId(id_) for _, id_ in found if _is_in_scope(caller, PatientId(id_)))
        opened = [one for id_ in within if (one := open_unnamed(access, id_, Action.IDENTIFY))]
        known = [(one, item) for one in opened for item in _traits(access, one, asked.patient)]
        candidates = _answer([item for _, item in known], asked)
    told = {item.stored.id for item in candidates.shown}
    _record(access, [one for one, item in known if item.stored.id in told])
    return candidates


def _demand_may_look_up(access: Access) -> None:
    """Refuse whoever may look nobody up, before anything is read: patients, relatives, auditors, the unidentified."""
    if access.caller.requester.kind not in _MAY_LOOK_UP:
        problem = Problem.of(Category.FORBIDDEN, "only professionals and registered software look patients up")
        audit_log.record_refusal(access.runtime, access.caller, access.audited, problem)
        raise problem
    open_record(access, NOBODY, Action.IDENTIFY)
    access.opened = access.patient = None


def _is_in_scope(caller: Caller, patient: PatientId) -> bool:
    """Tell whether the token may search this Patient: a token that was launched for one patient may search no other."""
    try:
        smart_scopes.demand(caller, (PATIENT,), "s", patient)
    except Problem:
        return False
    return True


def _keys(patient: Json) -> frozenset[str]:
    """Return the lookup tokens that a candidate must have, all of them; empty when the Patient states too little."""
    number, traits = identity_keys.number_asked(patient), identity_keys.keys_asked(patient)
    return traits | tokens.identifier_key("identifier", *number) if number else traits


def _traits(access: Access, opened: Opened, asked: Json) -> tuple[Shown, ...]:
    """Return a candidate with the identity traits alone, none when a trait that is stated contradicts the record."""
    access.note_opened(opened)
    filters = opened.within(access.caller, "s")
    stored = access.snapshot.read(PATIENT, opened.patient, filters)
    if stored is None or stored.deleted or identity_keys.contradicts(asked, orjson.loads(stored.body)):
        return ()
    sought = identity_keys.number_asked(asked)
    key = tokens.identifier_key("identifier", *sought) if sought else frozenset[str]()
    return tuple(
        replace(item, stored=replace(item.stored, body=identity_traits.traits_of(item.stored.body, key)))
        for item in present(access, (stored,), filters)
    )


def _answer(known: list[Shown], asked: Asked) -> Candidates:
    """Return the candidates; the grade depends on whether only one matches, and on which traits were asked."""
    alone = len(known) == 1
    is_certain = alone and (
        identity_keys.number_asked(asked.patient) is not None or identity_keys.is_whole(asked.patient)
    )
    grade = Grade.CERTAIN if is_certain else Grade.PROBABLE if alone else Grade.POSSIBLE
    if len(known) > MOST:
        return Candidates((), grade, too_many=True)
    if asked.certain_only and not is_certain:
        return Candidates((), grade)
    return Candidates(tuple(known[: asked.most]), grade)


def _record(access: Access, returned: list[Opened]) -> None:
    """Store one event for each candidate, in their own journal, or one without a patient; all count as look-ups.

    Raises: as `reached.commit`; then nothing is returned, and no patient's journal has the refusal.
    """
    demand_time()
    runtime, caller, audited = access.runtime, access.caller, access.audited
    traces = [
        audit_log.trace(runtime, caller, audited, one.outcome(f"{PATIENT}/{one.patient}"), one.patient)
        for one in returned
    ]
    traces = traces or [audit_log.trace(runtime, caller, audited, Outcome(), None)]
    access.patient = None
    reached.commit(access, Change(tuple(traces)), {Tally.IDENTITIES: max(1, len(returned))})
