"""The one decision: whether a requester gets a permit for a space, on which ground, and what the permit shows.

For each kind of requester and action, a table names the preconditions that must hold and the possible grounds, in the
order of docs/rules.md section K. A pair that is not in the table is denied. If a directive makes a rule raise an error,
the decision closes that directive and names it. If a rule raises an error without any directive, the decision denies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from consent_rules.decision import conditions, denials, document_filters, emergency, evidence
from consent_rules.decision.decision_context import DecisionContext, context_of
from consent_rules.matrix.table import Matrix
from consent_rules.model import AccessRequest, Deny, Directive, Permit, RecordState, RuleApplied, closed
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import NO_SPACE, Action, Basis, Obligation, Purpose, Reason, RequesterKind, View

Precondition = Callable[[DecisionContext], Deny | None]
Ground = Callable[[DecisionContext], RuleApplied | None]
Grounds = tuple[tuple[Basis, Ground], ...]


def decide(request: AccessRequest, record: RecordState, matrix: Matrix, profile: RuleProfile) -> Permit | Deny:
    """Decide one request on one space."""
    try:
        answer = apply_table(context_of(request, record, matrix, profile))
    except Exception as error:  # noqa: BLE001 - any error in a rule closes the directive that caused it
        answer = _without_faulty(Given(request, matrix, profile), record, f"error {type(error).__name__}")
    if isinstance(answer, Permit):
        return answer
    return Deny(answer.reason, answer.rules, matrix.version)


@dataclass(frozen=True, slots=True)
class Given:
    """A request and the rules in force, without the state of the space."""

    request: AccessRequest
    matrix: Matrix
    profile: RuleProfile

    def decide(self, record: RecordState) -> Permit | Deny:
        """Decide the request for one state of the space."""
        return apply_table(context_of(self.request, record, self.matrix, self.profile))

    def fails_on(self, record: RecordState, directives: tuple[Directive, ...]) -> bool:
        """Tell whether a rule raises an error on a state that holds only these directives."""
        try:
            self.decide(replace(record, directives=directives))
        except Exception:  # noqa: BLE001 - any failure counts
            return True
        return False


def _without_faulty(given: Given, record: RecordState, error: str) -> Permit | Deny:
    """Close each directive that makes a rule raise an error, and decide again; the answer names those directives."""
    if given.request.at.tzinfo is None or given.fails_on(record, ()):
        return Deny(Reason.RULE_ERROR, (RuleApplied("D3", error),))
    kept: tuple[Directive, ...] = ()
    faulty = []
    for directive in record.directives:
        fails = given.fails_on(record, (*kept, directive))
        left = closed(directive) if fails else directive
        kept = (*kept, left) if left else kept
        faulty += [directive.id] if fails else []
    rule = RuleApplied("D3", error, tuple(faulty))
    if given.fails_on(record, kept):
        return Deny(Reason.RULE_ERROR, (rule,))
    answer = given.decide(replace(record, directives=kept))
    return replace(answer, rules=(*answer.rules, rule))


def apply_table(context: DecisionContext) -> Permit | Deny:
    """Check what denies a request in every space (K2), then apply the row for this requester and action (K1)."""
    barred = denials.barred(context.request)
    if barred:
        return barred
    row = TABLE.get((context.requester.kind, context.request.action))
    if row is None:
        return denials.denial(Reason.NOT_ENTITLED, "D3")
    return row.answer(context)


@dataclass(frozen=True, slots=True)
class Row:
    """The preconditions and grounds for one kind of requester and one action."""

    preconditions: tuple[Precondition, ...]
    grounds: Callable[[DecisionContext], Grounds]

    def answer(self, context: DecisionContext) -> Permit | Deny:
        """Check the preconditions, then permit on the first ground that holds."""
        for precondition in self.preconditions:
            denied = precondition(context)
            if denied:
                return denied
        for basis, ground in self.grounds(context):
            rule = ground(context)
            if rule:
                return permit_of(context, basis, rule)
        return why_not(context)


def permit_of(context: DecisionContext, basis: Basis, rule: RuleApplied) -> Permit:
    """Build the permit for a ground."""
    if context.request.action is Action.READ_ALL_TRACES:
        traces = {View.TRACES: document_filters.traces(context, basis)}
        return Permit(NO_SPACE, basis, (rule,), traces, everywhere=True)
    views = {
        View.DOCUMENTS: document_filters.documents(context, basis)
        if _shows_documents(context)
        else document_filters.NOTHING,
        View.DIRECTIVES: document_filters.directives(context, basis),
        View.IDENTITY: document_filters.ALL,
    }
    if context.request.action is Action.READ_TRACES:
        views[View.TRACES] = document_filters.traces(context, basis)
    if context.request.action is Action.READ_NOTICES:
        views[View.NOTICES] = document_filters.notices(context, basis)
    if context.request.action in (Action.READ_TRACES, Action.READ_NOTICES):
        views[View.ABOUT] = document_filters.documents(context, basis)
    if context.request.action is Action.REVIEW:
        views[View.REVIEWS] = document_filters.ALL
    rules = (rule, *_NARROWED, *evidence.noted(context)) if basis in _CARE_BASES else (rule,)
    owed, version = obligations_of(context, basis), context.matrix.version
    return Permit(context.record.patient, basis, rules, views, owed, version, rule.grade)


def _shows_documents(context: DecisionContext) -> bool:
    """Tell whether the permit shows documents: for reading and filing always, for others only if reading is permitted.

    A blocked professional has no ground that shows documents. Software has one ground for all actions, so this function
    checks the block for software.
    """
    action, alone = context.request.action, context.requester.kind is RequesterKind.SYSTEM
    shut = action in _IF_OPEN and (denials.open_space(context) or (alone and denials.not_blocked(context)))
    return action in _SHOWING or (action in _IF_OPEN and not shut)


def obligations_of(context: DecisionContext, basis: Basis) -> frozenset[Obligation]:
    """Return what the server must do after a permit on this ground (H1, L3, G3, G6, G7)."""
    if context.request.action not in (Action.CONSULT, Action.OPEN_EMERGENCY):
        return frozenset()
    if basis is Basis.BREAK_GLASS:
        return emergency.OBLIGATIONS[Purpose.BREAK_GLASS]
    if basis is Basis.REGULATION:
        return emergency.OBLIGATIONS[Purpose.EMERGENCY]
    if basis not in _CARE_BASES:
        return frozenset()
    return _EVERY_ACCESS if context.profile.notify_every_access else _FIRST_ACCESS


def why_not(context: DecisionContext) -> Deny:
    """Return the denial when no ground holds; its reason tells the audit log of ended and awaited consents (C8)."""
    if context.requester.kind is RequesterKind.RELATED:
        return denials.denial(Reason.NO_AUTHORITY, "B2")
    if context.request.purpose in emergency.MODES:
        return denials.denial(Reason.EMERGENCY_NOT_OPEN, "G8")
    given = conditions.given(context, context.record.directives)
    ids = tuple(directive.id for directive in given)
    if not any(conditions.is_current(context, directive) for directive in given):
        return denials.denial(Reason.CONSENT_USED, "C4", *ids) if given else denials.denial(Reason.NO_CONSENT, "C1")
    if any(conditions.awaits_approval(context, directive) for directive in given):
        return denials.denial(Reason.APPROVAL_PENDING, "C1", *ids)
    return denials.denial(Reason.NO_CONSENT, "C1", *ids)


def _always(statement: str) -> Ground:
    rule = RuleApplied(statement, "permit")
    return lambda _context: rule


def _only(basis: Basis, ground: Ground) -> Callable[[DecisionContext], Grounds]:
    grounds = ((basis, ground),)
    return lambda _context: grounds


def _care_grounds(context: DecisionContext) -> Grounds:
    return _CARE_GROUNDS[context.request.purpose]


def _deposit(context: DecisionContext) -> Grounds:
    """Filing needs no consent, and no objection prevents it (C9, C11, F4).

    A professional who may also read the space sees more; the others see only what they filed themselves.
    Roles outside the health professions, and occupational physicians, file only with consent (C15, I4).
    """
    if context.request.action is Action.DEPOSIT and not _may_file(context):
        return ()
    return (
        ((Basis.DEPOSITOR, _always("C9")),) if denials.not_blocked(context) else (*_care_grounds(context), *_DEPOSITOR)
    )


def _may_file(context: DecisionContext) -> bool:
    in_care = context.request.purpose is Purpose.TREATMENT
    return conditions.files_without_consent(context) or (in_care and bool(conditions.agreements(context)))


def _traces(context: DecisionContext) -> Grounds:
    """Every professional may read the audit events of their own accesses (H4); some who may read the space see more."""
    shut = denials.open_space(context) or denials.not_blocked(context)
    return _OWN_TRACES if shut else (*_care_grounds(context), *_OWN_TRACES)


def _opening(context: DecisionContext) -> Grounds:
    mode = context.request.purpose
    basis = Basis.REGULATION if mode is Purpose.EMERGENCY else Basis.BREAK_GLASS
    return ((basis, _always(emergency.STATEMENTS[mode])),)


_SHOWING = frozenset({Action.CONSULT, Action.DEPOSIT, Action.CHANGE_MARKS})
_IF_OPEN = frozenset({Action.DIRECT, Action.READ_NOTICES, Action.READ_TRACES})
_FIRST_ACCESS = frozenset({Obligation.NOTIFY_FIRST_ACCESS})
_EVERY_ACCESS = frozenset({Obligation.NOTIFY_PATIENT})
_NARROWED = (RuleApplied("D3", "narrow"), RuleApplied("E1", "narrow"))
_CARE_GROUNDS: Mapping[Purpose, Grounds] = {
    Purpose.TREATMENT: (
        (Basis.DECLARED_PHYSICIAN, conditions.declared_physician),
        (Basis.ADMINISTRATOR, conditions.administrator),
        (Basis.CARE_TEAM, conditions.care_team),
        (Basis.CONSENT, conditions.consent),
    ),
    Purpose.BREAK_GLASS: ((Basis.BREAK_GLASS, emergency.break_glass),),
    Purpose.EMERGENCY: ((Basis.REGULATION, emergency.regulation),),
}
"""The grounds for each purpose of a grant. The emergency modes never use the grounds of ordinary treatment."""
_CARE_BASES = frozenset(basis for grounds in _CARE_GROUNDS.values() for basis, _ in grounds)
_DEPOSITOR: Grounds = ((Basis.DEPOSITOR, _always("C9")),)
_OWN_TRACES: Grounds = ((Basis.OWN_TRACES, _always("H4")),)
_RELATED: Grounds = ((Basis.REPRESENTATIVE, conditions.representative), (Basis.CARER, conditions.carer))

_PATIENT = (denials.own_space, denials.old_enough)
_PROFESSIONAL = (
    denials.identified_professional,
    denials.entitled_profession,
    denials.entitled_to_mode,
)
_SYSTEM = (denials.identified_software,)

_HOLDER_ROW = Row((*_PATIENT, denials.open_space), _only(Basis.PATIENT, conditions.patient))
_HOLDER_DIRECTS = Row((*_PATIENT, denials.not_erased), _only(Basis.PATIENT, conditions.patient))
_REPRESENTATIVE_ROW = Row((denials.open_space,), _only(Basis.REPRESENTATIVE, conditions.representative))
_REPRESENTATIVE_DIRECTS = Row((denials.not_erased,), _only(Basis.REPRESENTATIVE, conditions.representative))
_RELATED_ROW = Row((denials.open_space,), lambda _context: _RELATED)
_DEPOSIT_ROW = Row((*_PROFESSIONAL, denials.open_space), _deposit)
_SYSTEM_ROW = Row((*_SYSTEM, denials.open_space), _only(Basis.SYSTEM, _always("I8")))

TABLE: Mapping[tuple[RequesterKind, Action], Row] = {
    (RequesterKind.PATIENT, Action.CONSULT): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.DEPOSIT): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.CHANGE_MARKS): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.READ_TRACES): _HOLDER_ROW,
    (RequesterKind.PATIENT, Action.DIRECT): _HOLDER_DIRECTS,
    (RequesterKind.PATIENT, Action.IDENTIFY): _HOLDER_DIRECTS,
    (RequesterKind.PATIENT, Action.READ_NOTICES): _HOLDER_DIRECTS,
    (RequesterKind.RELATED, Action.CONSULT): _RELATED_ROW,
    (RequesterKind.RELATED, Action.DEPOSIT): _RELATED_ROW,
    (RequesterKind.RELATED, Action.CHANGE_MARKS): _REPRESENTATIVE_ROW,
    (RequesterKind.RELATED, Action.READ_TRACES): _REPRESENTATIVE_ROW,
    (RequesterKind.RELATED, Action.DIRECT): _REPRESENTATIVE_DIRECTS,
    (RequesterKind.RELATED, Action.IDENTIFY): _RELATED_ROW,
    (RequesterKind.RELATED, Action.READ_NOTICES): Row((denials.not_erased,), lambda _context: _RELATED),
    (RequesterKind.PROFESSIONAL, Action.CONSULT): Row(
        (*_PROFESSIONAL, denials.open_space, denials.not_blocked), _care_grounds
    ),
    (RequesterKind.PROFESSIONAL, Action.DEPOSIT): _DEPOSIT_ROW,
    (RequesterKind.PROFESSIONAL, Action.CHANGE_MARKS): _DEPOSIT_ROW,
    (RequesterKind.PROFESSIONAL, Action.READ_TRACES): Row(_PROFESSIONAL, _traces),
    (RequesterKind.PROFESSIONAL, Action.DIRECT): Row(
        (*_PROFESSIONAL, denials.open_space, denials.not_blocked), _only(Basis.COLLECTION, _always("C6"))
    ),
    (RequesterKind.PROFESSIONAL, Action.IDENTIFY): Row(
        (*_PROFESSIONAL, denials.open_space), _only(Basis.IDENTIFICATION, _always("I8"))
    ),
    (RequesterKind.PROFESSIONAL, Action.OPEN_EMERGENCY): Row(
        (*_PROFESSIONAL, denials.emergency_purpose, denials.open_space, denials.not_blocked), _opening
    ),
    (RequesterKind.PROFESSIONAL, Action.READ_NOTICES): Row(
        (*_PROFESSIONAL, denials.open_space, denials.not_blocked),
        _only(Basis.DECLARED_PHYSICIAN, conditions.declared_physician),
    ),
    (RequesterKind.SYSTEM, Action.CONSULT): Row(
        (*_SYSTEM, denials.open_space, denials.not_blocked), _only(Basis.SYSTEM, _always("I8"))
    ),
    (RequesterKind.SYSTEM, Action.DEPOSIT): _SYSTEM_ROW,
    (RequesterKind.SYSTEM, Action.CHANGE_MARKS): _SYSTEM_ROW,
    (RequesterKind.SYSTEM, Action.READ_TRACES): Row(_SYSTEM, _only(Basis.SYSTEM, _always("H4"))),
    (RequesterKind.SYSTEM, Action.IDENTIFY): _SYSTEM_ROW,
    (RequesterKind.SYSTEM, Action.OPERATE_REGISTRY): Row(_SYSTEM, _only(Basis.SYSTEM, _always("I8"))),
    (RequesterKind.AUDITOR, Action.READ_TRACES): Row((denials.identified_person,), _only(Basis.AUDIT, _always("H8"))),
    (RequesterKind.AUDITOR, Action.READ_ALL_TRACES): Row(
        (denials.identified_person,), _only(Basis.AUDIT, _always("H8"))
    ),
    (RequesterKind.AUDITOR, Action.REVIEW): Row(
        (denials.identified_person, denials.not_erased), _only(Basis.AUDIT, _always("G8"))
    ),
    (RequesterKind.SUPPORT, Action.READ_TRACES): Row((denials.identified_person,), _only(Basis.SUPPORT, _always("H8"))),
}
"""The rules for each kind of requester and action. A pair that is not here is denied: only this table permits."""
