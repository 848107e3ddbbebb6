"""What each ground shows: the clauses for every part of the space.

Source: rules D3 to D12 (matrix), E1 to E11 (visibility marks), B6 (what minors hide), H4 (who reads the audit log).
"""

from collections.abc import Callable, Iterable, Mapping

from consent_rules.decision import conditions, emergency
from consent_rules.decision.decision_context import DecisionContext
from consent_rules.model import A_GUARDIAN, Directive
from consent_rules.visibility import Clause, Extent
from consent_rules.vocabulary import Basis, DirectiveKind, Mark

Clauses = tuple[Clause, ...]

ALL: Clauses = (Clause(),)
NOTHING: Clauses = ()
_EVERYTHING = Extent()
_ACCESS = frozenset({"access"})
_RESULT_WAITS = frozenset({"result-waits"})
"""The kind of the notice that a document was filed which is sealed from the patient (E10)."""
_REFUSALS = frozenset({"refusal"})
"""A denial may reveal the patient's directives: only the patient, representatives and auditors see denials."""
_RECEIVED = frozenset({"received"})
"""Events that other systems tell: they are in no space, and auditors alone read them."""
_PERSONAL = frozenset(
    {
        DirectiveKind.AGREEMENT.value,
        DirectiveKind.DECLARED_PHYSICIAN.value,
        DirectiveKind.ADMINISTRATOR.value,
        DirectiveKind.EMERGENCY_OPENING.value,
    }
)
_READ_ALL_TRACES = frozenset({Basis.DECLARED_PHYSICIAN, Basis.ADMINISTRATOR})
_CLOSED_TO_SOCIAL = Mark.MASQUE_PS | Mark.MASQUE_PSOCIAL
_CLOSED_TO_CARERS = Mark.INVISIBLE_REPRESENTANTS_LEGAUX | Mark.MASQUE_PT
_HIDDEN_FROM_GUARDIANS = Mark.INVISIBLE_REPRESENTANTS_LEGAUX


def documents(context: DecisionContext, basis: Basis) -> Clauses:
    """Return which documents a ground shows."""
    return _DOCUMENTS.get(basis, _nothing)(context)


def traces(context: DecisionContext, basis: Basis) -> Clauses:
    """Return which audit events a ground shows; professionals see no event about a patient's decisions (H4, H5, B10).

    The patient's side sees an event about a document only if they see that document (B10, E9). Auditors see all
    accesses and denials (H8). A representative from whom the minor hides documents sees only their own accesses.
    """
    if basis is Basis.PATIENT:
        return (Clause(of_seen=True),)
    if basis is Basis.REPRESENTATIVE:
        own = Clause(_ACCESS, closed_by=_HIDDEN_FROM_GUARDIANS, owned_by=frozenset({context.requester.person}))
        return (own,) if conditions.limits(context) else (Clause(closed_by=_HIDDEN_FROM_GUARDIANS, of_seen=True),)
    if basis is Basis.AUDIT:
        return (Clause(kinds=_ACCESS | _REFUSALS | _RECEIVED),)
    self = context.requester.client if basis is Basis.SYSTEM else context.requester.person
    own = Clause(kinds=_ACCESS, owned_by=frozenset({self}))
    return (Clause(kinds=_ACCESS, of_seen=True), own) if basis in _READ_ALL_TRACES else (own,)


def notices(context: DecisionContext, basis: Basis) -> Clauses:
    """Return which notices a ground shows (G3, B10).

    The declared physician and a carer see the notices addressed to them. The patient and representatives see all
    notices, but a notice about a document only if they see that document (E9). A notice that a result waits is shown
    while the result is there, to readers from whom nothing but the seal keeps it (E10, B10).
    """
    if basis is Basis.PATIENT:
        return _notices_of_side(context, Mark.NONE)
    if basis is Basis.REPRESENTATIVE:
        return NOTHING if conditions.limits(context) else _notices_of_side(context, _HIDDEN_FROM_GUARDIANS)
    return (Clause(owned_by=frozenset({context.requester.person})),)


def _notices_of_side(context: DecisionContext, marks: Mark) -> Clauses:
    told = Clause(closed_by=marks, unsealed_at=context.at)
    others = told._replace(barred=(Extent(kinds=_RESULT_WAITS),), of_seen=True)
    return (others, told._replace(kinds=_RESULT_WAITS, of_waiting=True))


def directives(context: DecisionContext, basis: Basis) -> Clauses:
    """Return which Consents a ground shows: to a professional, only those that give that professional access.

    A Consent about a document that a minor hides from guardians is hidden from them too (B10).
    """
    if basis is Basis.PATIENT:
        return ALL
    if basis is Basis.REPRESENTATIVE:
        return NOTHING if conditions.limits(context) else (Clause(closed_by=_HIDDEN_FROM_GUARDIANS),)
    if basis is Basis.CARER or not context.requester.person:
        return NOTHING
    return (Clause(kinds=_PERSONAL, owned_by=context.requester.identities),)


def own_documents(context: DecisionContext) -> Clauses:
    """Return what a professional filed: all of their own documents, their establishment's within the matrix (E2)."""
    requester = context.requester
    own = Clause(owned_by=frozenset({requester.person}), knows_marks=True)
    if not requester.organization:
        return (own,)
    return (own, Clause(kinds=_row(context), owned_by=frozenset({requester.organization}), knows_marks=True))


def software_documents(context: DecisionContext) -> Clauses:
    """Return the documents that a client or its establishment filed."""
    owners = frozenset({context.requester.client, context.requester.organization} - {""})
    return (Clause(owned_by=owners, knows_marks=True),)


def _row(context: DecisionContext) -> frozenset[str]:
    return context.matrix.kinds_for(context.requester.profession, context.requester.specialty)


def _closed(context: DecisionContext) -> Mark:
    return _CLOSED_TO_SOCIAL if context.matrix.is_social_profession(context.requester.profession) else Mark.MASQUE_PS


def _holder(context: DecisionContext) -> Clauses:
    return (Clause(unsealed_at=context.at, knows_marks=True),)


def _representative(context: DecisionContext) -> Clauses:
    """Return all documents but those marked as hidden from guardians and those withheld from this representative (B2).

    No directive withholds from a representative what the representative filed.
    """
    whole = Clause(closed_by=_HIDDEN_FROM_GUARDIANS, unsealed_at=context.at, knows_marks=True)
    limits = conditions.limits(context)
    if not limits:
        return (whole,)
    own = whole._replace(owned_by=frozenset({context.requester.person}))
    shares = conditions.shares(context)
    shared = [_left(whole._replace(within=share.extent), limits, share.precision) for share in shares]
    return (*dict.fromkeys(filter(None, (_left(whole, limits), *shared))), own)


def _left(way: Clause, limits: list[Directive], precision: int = 0) -> Clause | None:
    """Return a clause without what directives of at least this precision withhold; None when nothing is left."""
    barred = _merged(d.extent for d in limits if d.precision >= precision)
    return None if _EVERYTHING in barred else way._replace(barred=barred)


def _carer(context: DecisionContext) -> Clauses:
    """Return one clause for each directive that names the carer: the documents that this directive covers (B13)."""
    whole = Clause(closed_by=_CLOSED_TO_CARERS, unsealed_at=context.at, barred=_hidden(context))
    named = conditions.carer_directives(context)
    return tuple(whole._replace(within=d.extent) if d.precision else whole for d in named)


def _professional(context: DecisionContext) -> Clauses:
    """Return the matrix row without hidden documents, and what the professional filed (E5)."""
    return (_within_row(context, _closed(context)), *own_documents(context))


def _barred(context: DecisionContext, precision: int = 0) -> tuple[Extent, ...]:
    """Return the documents withheld from the requester by directives of at least this precision (E1)."""
    found = conditions.withheld(context)
    return _merged(d.extent for d in found if d.precision >= precision) if found else ()


def _hidden(context: DecisionContext) -> tuple[Extent, ...]:
    """Return the documents withheld from everybody, and those that a minor withheld from this person by name (B2)."""
    person = context.requester.person if context.profile.minor_limits_representatives else ""
    return _merged(d.extent for d in conditions.withheld(context) if not d.actors or person in d.actors)


def _blocked(context: DecisionContext) -> tuple[Extent, ...]:
    """Return the documents withheld from the requester by name; readers of hidden documents may not see them (F7)."""
    return _merged(d.extent for d in conditions.withheld(context) if d.actors)


def _merged(extents: Iterable[Extent]) -> tuple[Extent, ...]:
    """Return the same documents in fewer extents, to keep queries short: extents that only list ids become one."""
    named: set[str] = set()
    others: dict[Extent, None] = {}
    for extent in extents:
        if extent.documents is not None and extent == Extent(extent.documents):
            named |= extent.documents
        else:
            others[extent] = None
    return (Extent(frozenset(named)), *others) if named else tuple(others)


def _within_row(context: DecisionContext, closed: Mark) -> Clause:
    """Return what the profession may read and the patient does not hide (C12, D2, E13)."""
    return Clause(_unhidden(context, _row(context)), closed_by=closed, barred=_barred(context))


def _unhidden(context: DecisionContext, kinds: frozenset[str] | None) -> frozenset[str] | None:
    """Return kinds (None: all), without the care history's kinds if the patient hides the care history (E13)."""
    if not context.has(DirectiveKind.CARE_HISTORY_HIDDEN):
        return kinds
    every = frozenset({*context.matrix.kinds, ""}) if kinds is None else kinds
    return every - context.profile.care_history_kinds


def _by_consent(context: DecisionContext) -> Clauses:
    """Return the part of the matrix row that each consent covers, and what the professional filed."""
    row = _within_row(context, _closed(context))
    reached = tuple(_reached(context, row, d) for d in conditions.agreements(context))
    return (*dict.fromkeys(reached), *own_documents(context))


def _reached(context: DecisionContext, row: Clause, agreement: Directive) -> Clause:
    """Return the part of the row that one consent covers; the more precise directive wins, or the deny if equal.

    A consent that a professional wrote down never overrides what the patient withholds (C7).
    """
    if agreement.given_by:
        row = _as_giver(context, row, agreement.given_by)
    if not agreement.precision:
        return row
    if not row.barred or not agreement.by_patient:
        return row._replace(within=agreement.extent)
    return row._replace(within=agreement.extent, barred=_barred(context, agreement.precision))


def _as_giver(context: DecisionContext, row: Clause, giver: str) -> Clause:
    """Return the row without what a minor hides from the representative who let the professional in (B2, B6)."""
    withheld = context.in_force(DirectiveKind.WITHHELD)
    hidden = [
        d.extent for d in withheld if giver in d.actors or (giver == A_GUARDIAN and conditions.is_about_relative(d))
    ]
    barred = _merged((*row.barred, *hidden))
    return row._replace(closed_by=row.closed_by | _HIDDEN_FROM_GUARDIANS, barred=barred)


def _emergency(context: DecisionContext) -> Clauses:
    if emergency.shows_hidden(context):
        return (Clause(_row(context), barred=_blocked(context)), *own_documents(context))
    return _professional(context)


def _declared_physician(context: DecisionContext) -> Clauses:
    """Return the whole space, with hidden documents where the profile says so (E3, L1)."""
    if context.profile.declared_physician_sees_hidden:
        blocked = _blocked(context)
        whole = Clause(knows_marks=True, barred=blocked)
        return (whole, *own_documents(context)) if blocked else (whole,)
    return (
        Clause(_unhidden(context, None), closed_by=Mark.MASQUE_PS, barred=_barred(context)),
        *own_documents(context),
    )


def _administrator(context: DecisionContext) -> Clauses:
    if context.profile.administrator_sees_hidden:
        return (Clause(_row(context), knows_marks=True, barred=_blocked(context)), *own_documents(context))
    return _professional(context)


def _nothing(_context: DecisionContext) -> Clauses:
    return NOTHING


_DOCUMENTS: Mapping[Basis, Callable[[DecisionContext], Clauses]] = {
    Basis.PATIENT: _holder,
    Basis.REPRESENTATIVE: _representative,
    Basis.CARER: _carer,
    Basis.DECLARED_PHYSICIAN: _declared_physician,
    Basis.ADMINISTRATOR: _administrator,
    Basis.CARE_TEAM: _by_consent,
    Basis.CONSENT: _by_consent,
    Basis.BREAK_GLASS: _emergency,
    Basis.REGULATION: _emergency,
    Basis.DEPOSITOR: own_documents,
    Basis.SYSTEM: software_documents,
}
