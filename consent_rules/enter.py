"""The one decision: may this requester enter this space, on which ground, and what is seen there.

For each kind of requester and action a table names the gates that must be silent and the grounds that may carry, in
the order of docs/rules.md section K. What is not in the table is refused. A choice that makes a rule fail is left out
of the decision, which names it; a rule that fails without any choice refuses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from consent_rules import emergency, gates, relationship, sight
from consent_rules.case import Case, case_of
from consent_rules.matrix import Matrix
from consent_rules.model import AccessRequest, Directive, Entry, RecordState, Refuse, RuleApplied, closed
from consent_rules.profiles import RuleProfile
from consent_rules.vocabulary import Action, Basis, Obligation, Purpose, Reason, RequesterKind, View

Gate = Callable[[Case], Refuse | None]
Ground = Callable[[Case], RuleApplied | None]
Grounds = tuple[tuple[Basis, Ground], ...]


def enter(request: AccessRequest, record: RecordState, matrix: Matrix, profile: RuleProfile) -> Entry | Refuse:
    """Decide one request on one space."""
    try:
        answer = decide(case_of(request, record, matrix, profile))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a rule, the choice that caused it is closed
        answer = _without_faulty(Given(request, matrix, profile), record, f"error {type(error).__name__}")
    if isinstance(answer, Entry):
        return answer
    return Refuse(answer.reason, answer.rules, matrix.version)


@dataclass(frozen=True, slots=True)
class Given:
    """A question and the rules in force, without the state of the space."""

    request: AccessRequest
    matrix: Matrix
    profile: RuleProfile

    def decide(self, record: RecordState) -> Entry | Refuse:
        """Answer the question for one state."""
        return decide(case_of(self.request, record, self.matrix, self.profile))

    def fails_on(self, record: RecordState, directives: tuple[Directive, ...]) -> bool:
        """Tell whether a rule fails on a state that holds these choices and no others."""
        try:
            self.decide(replace(record, directives=directives))
        except Exception:  # noqa: BLE001 - any failure counts
            return True
        return False


def _without_faulty(given: Given, record: RecordState, error: str) -> Entry | Refuse:
    """Decide again with each choice that makes a rule fail closed; the answer names those choices."""
    if given.request.at.tzinfo is None or given.fails_on(record, ()):
        return Refuse(Reason.RULE_ERROR, (RuleApplied("D3", error),))
    kept: tuple[Directive, ...] = ()
    faulty = []
    for directive in record.directives:
        fails = given.fails_on(record, (*kept, directive))
        left = closed(directive) if fails else directive
        kept = (*kept, left) if left else kept
        faulty += [directive.id] if fails else []
    rule = RuleApplied("D3", error, tuple(faulty))
    if given.fails_on(record, kept):
        return Refuse(Reason.RULE_ERROR, (rule,))
    answer = given.decide(replace(record, directives=kept))
    return replace(answer, rules=(*answer.rules, rule))


def decide(case: Case) -> Entry | Refuse:
    """Apply the row of the table that the requester and the action name (K1), after what bars everybody (K2)."""
    barred = gates.barred(case.request)
    if barred:
        return barred
    row = TABLE.get((case.requester.kind, case.request.action))
    if row is None:
        return gates.refusal(Reason.NOT_ENTITLED, "D3")
    return row.answer(case)


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of requester is judged for one action."""

    gates: tuple[Gate, ...]
    grounds: Callable[[Case], Grounds]

    def answer(self, case: Case) -> Entry | Refuse:
        """Pass the gates, then take the first ground that carries."""
        for gate in self.gates:
            refused = gate(case)
            if refused:
                return refused
        for basis, ground in self.grounds(case):
            rule = ground(case)
            if rule:
                return entry_of(case, basis, rule)
        return why_not(case)


def entry_of(case: Case, basis: Basis, rule: RuleApplied) -> Entry:
    """Build the entry that a ground gives."""
    views = {
        View.DOCUMENTS: sight.documents(case, basis) if _shows_documents(case) else sight.NOTHING,
        View.DIRECTIVES: sight.directives(case, basis),
        View.IDENTITY: sight.ALL,
    }
    if case.request.action is Action.READ_TRACES:
        views[View.TRACES] = sight.traces(case, basis)
    if case.request.action is Action.READ_NOTICES:
        views[View.NOTICES] = sight.notices(case, basis)
    if case.request.action in (Action.READ_TRACES, Action.READ_NOTICES):
        views[View.ABOUT] = sight.documents(case, basis)
    if case.request.action is Action.REVIEW:
        views[View.REVIEWS] = sight.ALL
    rules = (rule, *_NARROWED) if basis in _CARE_BASES else (rule,)
    return Entry(case.record.patient, basis, rules, views, obligations_of(case, basis), case.matrix.version)


def _shows_documents(case: Case) -> bool:
    """Tell whether the action may show documents: reading and filing do, some others only where reading would.

    Professionals who are blocked have no ground that shows documents; software has one ground for all it does.
    """
    action, alone = case.request.action, case.requester.kind is RequesterKind.SYSTEM
    shut = action in _IF_OPEN and (gates.open_space(case) or (alone and gates.not_blocked(case)))
    return action in _SHOWING or (action in _IF_OPEN and not shut)


def obligations_of(case: Case, basis: Basis) -> frozenset[str]:
    """Return what must be done when somebody enters on a ground (H1, L3, G3, G6, G7)."""
    if case.request.action not in (Action.CONSULT, Action.OPEN_EMERGENCY):
        return frozenset()
    if basis is Basis.BREAK_GLASS:
        return emergency.OBLIGATIONS[Purpose.BREAK_GLASS]
    if basis is Basis.REGULATION:
        return emergency.OBLIGATIONS[Purpose.EMERGENCY]
    if basis not in _CARE_BASES:
        return frozenset()
    return _EVERY_ACCESS if case.profile.notify_every_access else _FIRST_ACCESS


def why_not(case: Case) -> Refuse:
    """Say why no ground carried, for the trace: what was given and no longer holds, what is awaited (C8)."""
    if case.requester.kind is RequesterKind.RELATED:
        return gates.refusal(Reason.NO_AUTHORITY, "B2")
    if case.request.purpose in emergency.MODES:
        return gates.refusal(Reason.EMERGENCY_NOT_OPEN, "G8")
    given = relationship.given(case, case.record.directives)
    ids = tuple(directive.id for directive in given)
    if not any(relationship.is_current(case, directive) for directive in given):
        return gates.refusal(Reason.CONSENT_USED, "C4", *ids) if given else gates.refusal(Reason.NO_CONSENT, "C1")
    if any(relationship.awaits_approval(case, directive) for directive in given):
        return gates.refusal(Reason.APPROVAL_PENDING, "C1", *ids)
    return gates.refusal(Reason.NO_CONSENT, "C1", *ids)


def _always(statement: str) -> Ground:
    rule = RuleApplied(statement, "permit")
    return lambda _case: rule


def _only(basis: Basis, ground: Ground) -> Callable[[Case], Grounds]:
    grounds = ((basis, ground),)
    return lambda _case: grounds


def _care_grounds(case: Case) -> Grounds:
    return _CARE_GROUNDS[case.request.purpose]


def _deposit(case: Case) -> Grounds:
    """Filing needs no consent and meets no objection (C9, C11, F4).

    Whoever may also consult sees more, the others see their own.
    Who is no health professional, and the occupational physician, file with consent only (C15, I4).
    """
    if case.request.action is Action.DEPOSIT and not _may_file(case):
        return ()
    return ((Basis.DEPOSITOR, _always("C9")),) if gates.not_blocked(case) else (*_care_grounds(case), *_DEPOSITOR)


def _may_file(case: Case) -> bool:
    in_care = case.request.purpose is Purpose.TREATMENT
    return relationship.files_without_consent(case) or (in_care and bool(relationship.agreements(case)))


def _traces(case: Case) -> Grounds:
    """One's own traces are never refused (H4); more is shown to whoever may consult."""
    shut = gates.open_space(case) or gates.not_blocked(case)
    return _OWN_TRACES if shut else (*_care_grounds(case), *_OWN_TRACES)


def _opening(case: Case) -> Grounds:
    mode = case.request.purpose
    basis = Basis.REGULATION if mode is Purpose.EMERGENCY else Basis.BREAK_GLASS
    return ((basis, _always(emergency.STATEMENTS[mode])),)


_SHOWING = frozenset({Action.CONSULT, Action.DEPOSIT, Action.RELABEL})
_IF_OPEN = frozenset({Action.DIRECT, Action.READ_NOTICES, Action.READ_TRACES})
_FIRST_ACCESS: frozenset[str] = frozenset({Obligation.NOTIFY_FIRST_ACCESS})
_EVERY_ACCESS: frozenset[str] = frozenset({Obligation.NOTIFY_PATIENT})
_NARROWED = (RuleApplied("D3", "narrow"), RuleApplied("E1", "narrow"))
_CARE_GROUNDS: Mapping[Purpose, Grounds] = {
    Purpose.TREATMENT: (
        (Basis.DECLARED_PHYSICIAN, relationship.declared_physician),
        (Basis.ADMINISTRATOR, relationship.administrator),
        (Basis.CARE_TEAM, relationship.care_team),
        (Basis.CONSENT, relationship.consent),
    ),
    Purpose.BREAK_GLASS: ((Basis.BREAK_GLASS, emergency.break_glass),),
    Purpose.EMERGENCY: ((Basis.REGULATION, emergency.regulation),),
}
"""The purpose is that of the grant: an emergency is a mode of its own, never mixed with the ordinary grounds."""
_CARE_BASES = frozenset(basis for grounds in _CARE_GROUNDS.values() for basis, _ in grounds)
_DEPOSITOR: Grounds = ((Basis.DEPOSITOR, _always("C9")),)
_OWN_TRACES: Grounds = ((Basis.OWN_TRACES, _always("H4")),)
_RELATED: Grounds = ((Basis.REPRESENTATIVE, relationship.representative), (Basis.CARER, relationship.carer))

_PATIENT = (gates.own_space, gates.old_enough)
_PROFESSIONAL = (gates.identified_professional, gates.entitled_profession, gates.entitled_to_mode)
_SYSTEM = (gates.identified_software,)

_HOLDER_ROW = Row((*_PATIENT, gates.open_space), _only(Basis.PATIENT, relationship.patient))
_HOLDER_DIRECTS = Row((*_PATIENT, gates.not_erased), _only(Basis.PATIENT, relationship.patient))
_REPRESENTATIVE_ROW = Row((gates.open_space,), _only(Basis.REPRESENTATIVE, relationship.representative))
_REPRESENTATIVE_DIRECTS = Row((gates.not_erased,), _only(Basis.REPRESENTATIVE, relationship.representative))
_RELATED_ROW = Row((gates.open_space,), lambda _case: _RELATED)
_DEPOSIT_ROW = Row((*_PROFESSIONAL, gates.open_space), _deposit)
_SYSTEM_ROW = Row((*_SYSTEM, gates.open_space), _only(Basis.SYSTEM, _always("I8")))

TABLE: Mapping[tuple[RequesterKind, Action], Row] = {
    (RequesterKind.PATIENT, Action.CONSULT): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.DEPOSIT): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.RELABEL): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.READ_TRACES): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.DIRECT): _HOLDER_DIRECTS,
    (RequesterKind.PATIENT, Action.IDENTIFY): _HOLDER_DIRECTS,
    (RequesterKind.PATIENT, Action.READ_NOTICES): _HOLDER_DIRECTS,
    (RequesterKind.RELATED, Action.CONSULT): _RELATED_ROW,
    (RequesterKind.RELATED, Action.DEPOSIT): _RELATED_ROW,
    (RequesterKind.RELATED, Action.RELABEL): _REPRESENTATIVE_ROW,
    (RequesterKind.RELATED, Action.READ_TRACES): _REPRESENTATIVE_ROW,
    (RequesterKind.RELATED, Action.DIRECT): _REPRESENTATIVE_DIRECTS,
    (RequesterKind.RELATED, Action.IDENTIFY): _RELATED_ROW,
    (RequesterKind.RELATED, Action.READ_NOTICES): _REPRESENTATIVE_DIRECTS,
    (RequesterKind.PROFESSIONAL, Action.CONSULT): Row(
        (*_PROFESSIONAL, gates.open_space, gates.not_blocked), _care_grounds
    ),
    (RequesterKind.PROFESSIONAL, Action.DEPOSIT): _DEPOSIT_ROW,
    (RequesterKind.PROFESSIONAL, Action.RELABEL): _DEPOSIT_ROW,
    (RequesterKind.PROFESSIONAL, Action.READ_TRACES): Row(_PROFESSIONAL, _traces),
    (RequesterKind.PROFESSIONAL, Action.DIRECT): Row(
        (*_PROFESSIONAL, gates.open_space, gates.not_blocked), _only(Basis.COLLECTION, _always("C6"))
    ),
    (RequesterKind.PROFESSIONAL, Action.IDENTIFY): Row(
        (*_PROFESSIONAL, gates.open_space), _only(Basis.IDENTIFICATION, _always("I8"))
    ),
    (RequesterKind.PROFESSIONAL, Action.OPEN_EMERGENCY): Row(
        (*_PROFESSIONAL, gates.emergency_purpose, gates.open_space, gates.not_blocked), _opening
    ),
    (RequesterKind.PROFESSIONAL, Action.READ_NOTICES): Row(
        (*_PROFESSIONAL, gates.open_space, gates.not_blocked),
        _only(Basis.DECLARED_PHYSICIAN, relationship.declared_physician),
    ),
    (RequesterKind.SYSTEM, Action.CONSULT): Row(
        (*_SYSTEM, gates.open_space, gates.not_blocked), _only(Basis.SYSTEM, _always("I8"))
    ),
    (RequesterKind.SYSTEM, Action.DEPOSIT): _SYSTEM_ROW,
    (RequesterKind.SYSTEM, Action.RELABEL): _SYSTEM_ROW,
    (RequesterKind.SYSTEM, Action.READ_TRACES): Row(_SYSTEM, _only(Basis.SYSTEM, _always("H4"))),
    (RequesterKind.SYSTEM, Action.IDENTIFY): _SYSTEM_ROW,
    (RequesterKind.SYSTEM, Action.KEEP): Row(_SYSTEM, _only(Basis.SYSTEM, _always("I8"))),
    (RequesterKind.AUDITOR, Action.READ_TRACES): Row((gates.identified_person,), _only(Basis.AUDIT, _always("H8"))),
    (RequesterKind.AUDITOR, Action.REVIEW): Row(
        (gates.identified_person, gates.not_erased), _only(Basis.AUDIT, _always("G8"))
    ),
    (RequesterKind.SUPPORT, Action.READ_TRACES): Row((gates.identified_person,), _only(Basis.SUPPORT, _always("H8"))),
}
"""Who is judged how. A pair that is not here is refused: the table grants, nothing else does."""
