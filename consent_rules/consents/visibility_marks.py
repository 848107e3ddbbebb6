"""Who may set or lift which visibility mark, which marks a new document gets, and when a sealed result opens.

Marks are a set: a change of one mark never drops another. (The French guide's examples replace `securityLabel[0]`;
official software sends cumulative labels, and so does this server: L6.)

Source: R.1111-49, R.1111-50 and R.1111-53 of the French public health code (rules E1 to E15, B6).
"""

from datetime import datetime

from consent_rules.decision import conditions, denials, evidence
from consent_rules.decision.decision_context import DecisionContext
from consent_rules.lifecycle import is_minor
from consent_rules.model import AccessRequest, Deny, RecordState, RuleApplied
from consent_rules.rule_profile import RuleProfile
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import DirectiveKind, Grade, Mark, Purpose, Reason, RequesterKind

HIDING = Mark.MASQUE_PS | Mark.MASQUE_PSOCIAL | Mark.MASQUE_PT
SEALED = Mark.INVISIBLE_PATIENT
HIDDEN_FROM_GUARDIANS = Mark.INVISIBLE_REPRESENTANTS_LEGAUX
ALL = HIDING | SEALED | HIDDEN_FROM_GUARDIANS
_STATEMENTS = {
    SEALED: "E9",
    HIDDEN_FROM_GUARDIANS: "B6",
}


def sealed_until(filed_at: datetime, profile: RuleProfile) -> datetime:
    """Return the instant from which the patient sees a sealed document without anybody's act (E11)."""
    return profile.sealed.after(filed_at)


def information_due(filed_at: datetime, profile: RuleProfile) -> datetime:
    """Return the instant from which the patient must be told that a sealed document waits (E10)."""
    return profile.information_of_sealed.after(filed_at)


def is_sealed(facts: AccessFacts, at: datetime) -> bool:
    """Tell whether a document is still closed to the patient."""
    return bool(facts.marks & SEALED) and (facts.sealed_until is None or at < facts.sealed_until)


def may_change_marks(
    request: AccessRequest, record: RecordState, facts: AccessFacts, wanted: Mark, profile: RuleProfile
) -> RuleApplied | Deny:
    """Tell whether an existing document may get these marks; the requester is known to see the document (L6)."""
    added, lifted = wanted & ~facts.marks, facts.marks & ~wanted
    may_add, may_lift = _rights(request, record, facts, profile)
    if added & SEALED:  # without this mark, the patient may already have seen the document
        return _denial(Reason.ALREADY_SEEN, "E9")
    excess = (added & ~may_add) | (lifted & ~may_lift)
    if excess:
        return _denial(Reason.MARK_NOT_ALLOWED, _statement(excess))
    if added & Mark.MASQUE_PS and is_sealed(facts, request.at) and not profile.hidden_and_sealed_together:
        return _denial(Reason.MARKS_EXCLUDE_EACH_OTHER, "E8")
    return RuleApplied(_statement(added | lifted), "permit")


def may_file(context: DecisionContext, wanted: Mark, replaced: AccessFacts | None = None) -> RuleApplied | Deny:
    """Tell whether a new document may be filed with these marks. replaced: facts of the document that it replaces."""
    excess = wanted & ~_may_file_with(context.request, context.record, context.profile)
    if excess:
        return _denial(Reason.MARK_NOT_ALLOWED, _statement(excess))
    denied = _why_no_seal(context, replaced) if wanted & SEALED else None
    if denied:
        return denied
    if wanted & SEALED and wanted & Mark.MASQUE_PS and not context.profile.hidden_and_sealed_together:
        return _denial(Reason.MARKS_EXCLUDE_EACH_OTHER, "E8")
    return RuleApplied("E7", "permit")


def marks_at_filing(record: RecordState, wanted: Mark, at: datetime, replaced: AccessFacts | None = None) -> Mark:
    """Return the marks of a new document: those sent, of the patient's default (E12, E17), and of what it replaces."""
    marks = wanted
    if hides_by_default(record, at):
        marks |= Mark.MASQUE_PS
    return marks if replaced is None else marks | replaced.marks


def hides_by_default(record: RecordState, at: datetime) -> bool:
    """Tell whether the patient chose "all hidden": it hides present documents once, and new ones at filing (E12)."""
    return any(d.kind is DirectiveKind.HIDDEN_BY_DEFAULT and d.holds_at(at) for d in record.directives)


def _rights(request: AccessRequest, record: RecordState, facts: AccessFacts, profile: RuleProfile) -> tuple[Mark, Mark]:
    """Return which marks the requester may add and which lift, on any document: the law exempts no type (E16)."""
    lapsed = Mark.NONE if is_sealed(facts, request.at) else SEALED
    match request.requester.kind:
        case RequesterKind.PATIENT:
            return HIDING | (
                HIDDEN_FROM_GUARDIANS if is_minor(record, request.at, profile) else Mark.NONE
            ), HIDING | lapsed
        case RequesterKind.RELATED:
            return HIDING, HIDING | lapsed
        case RequesterKind.PROFESSIONAL | RequesterKind.SYSTEM if _is_author(request, facts):
            return HIDDEN_FROM_GUARDIANS if is_minor(record, request.at, profile) else Mark.NONE, SEALED
    return Mark.NONE, Mark.NONE


def _may_file_with(request: AccessRequest, record: RecordState, profile: RuleProfile) -> Mark:
    if request.requester.kind is RequesterKind.PATIENT:
        return HIDING | (HIDDEN_FROM_GUARDIANS if is_minor(record, request.at, profile) else Mark.NONE)
    if request.requester.kind not in (RequesterKind.PROFESSIONAL, RequesterKind.SYSTEM):
        return HIDING
    return ALL if is_minor(record, request.at, profile) else HIDING | SEALED


def _why_no_seal(context: DecisionContext, replaced: AccessFacts | None) -> Deny | None:
    """Return why a new document may not be sealed from the patient; only somebody who treats may seal it (V16).

    A document that replaces a sealed one inherits the seal, whoever files it.
    """
    inherits = replaced is not None and is_sealed(replaced, context.at)
    if not inherits and not _treats(context):
        return _denial(Reason.SEALING_NEEDS_CARE, "V16")
    if _wants_results_at_once(context.record, context.at):
        return _denial(Reason.AT_ONCE, "E9")
    if replaced is not None and not inherits:
        return _denial(Reason.ALREADY_SEEN, "E9")
    return None


def _treats(context: DecisionContext) -> bool:
    """Tell whether the requester could read the space on more than a declaration, or a third party recorded the care.

    Software has the agreements of its establishment. A block makes no difference to a recorded fact of care;
    otherwise a refusal would reveal the block to whoever files.
    """
    if evidence.supporting(context):
        return True
    if context.request.purpose is not Purpose.TREATMENT or denials.not_blocked(context):
        return False
    ground = conditions.treatment(context)
    return ground is not None and ground.grade is not Grade.DECLARED


def _is_author(request: AccessRequest, facts: AccessFacts) -> bool:
    """Tell whether the requester filed the document: the same person, or the same client or establishment."""
    requester = request.requester
    if requester.kind is RequesterKind.PROFESSIONAL:
        return bool(requester.person) and requester.person == facts.owner_person
    return bool({requester.client, requester.organization} & facts.owners)


def _wants_results_at_once(record: RecordState, at: datetime) -> bool:
    return any(d.kind is DirectiveKind.AT_ONCE and d.holds_at(at) for d in record.directives)


def _statement(marks: Mark) -> str:
    return next((statement for mark, statement in _STATEMENTS.items() if mark & marks), "E1")


def _denial(reason: Reason, statement: str) -> Deny:
    return Deny(reason, (RuleApplied(statement, "refuse"),))
