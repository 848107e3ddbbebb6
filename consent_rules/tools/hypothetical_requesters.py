"""What a requester would see, and who would see a document.

Nothing here decides: every answer comes from `decide`, for a requester made up for the question.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from consent_rules.decision import conditions
from consent_rules.decision.decide import decide
from consent_rules.decision.decision_context import context_of
from consent_rules.matrix.table import Matrix
from consent_rules.model import AccessRequest, Deny, Directive, Permit, RecordState, Requester
from consent_rules.rule_profile import RuleProfile
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Purpose, RequesterKind, View

_PHYSICIAN = "10"
_FOR_RELATED = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER})
_FOR_PROFESSIONALS = frozenset(
    {
        DirectiveKind.AGREEMENT,
        DirectiveKind.DECLARED_PHYSICIAN,
        DirectiveKind.ADMINISTRATOR,
        DirectiveKind.WITHHELD,
    }
)
SOMEBODY = "Practitioner/somebody"
SOMEWHERE = "Organization/somewhere"
MODES = {
    # mode: (directive that the made-up requester holds, purpose)
    "none": (None, Purpose.TREATMENT),
    "care-team": (DirectiveKind.AGREEMENT, Purpose.TREATMENT),
    "consent": (DirectiveKind.AGREEMENT, Purpose.TREATMENT),
    "declared-physician": (DirectiveKind.DECLARED_PHYSICIAN, Purpose.TREATMENT),
    "administrator": (DirectiveKind.ADMINISTRATOR, Purpose.TREATMENT),
    "break-glass": (DirectiveKind.EMERGENCY_OPENING, Purpose.BREAK_GLASS),
    "regulation": (DirectiveKind.EMERGENCY_OPENING, Purpose.EMERGENCY),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """The space, the rules and the instant that a question is about.

    people: professions of the persons whom the space names, by reference; persons who are left out are not simulated.
    """

    record: RecordState
    matrix: Matrix
    profile: RuleProfile
    at: datetime
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who might see a document. role: why they might see it. name: a reference or the code of a profession."""

    role: str
    name: str


def as_profession(stage: Stage, profession: str, mode: str, specialty: str = "") -> Permit | Deny:
    """Decide for somebody of a profession in a mode: "none", "care-team", "break-glass" and the like.

    Raises: KeyError for an unknown mode.
    """
    kind, purpose = MODES[mode]
    requester = Requester(
        RequesterKind.PROFESSIONAL, SOMEBODY, organization=SOMEWHERE, profession=profession, specialty=specialty
    )
    record = stage.record if kind is None else stage.record.with_directive(_pretended(stage, kind, mode))
    return _ask(stage, requester, record, purpose)


def audience(stage: Stage, facts: AccessFacts) -> dict[Viewer, bool]:
    """Tell who would see a document: everybody whom the space names, and every health profession in each mode."""
    return _seen(stage, facts, stage.record)


def audience_change(
    stage: Stage, facts: AccessFacts, marks: Mark | None = None, only: Iterable[str] | None = None
) -> dict[Viewer, tuple[bool, bool]]:
    """Tell who would see a document before and after a change; return only viewers for whom the two differ.

    marks: the new marks. only: the only viewers whom the document is for, as references or codes of professions.
    """
    later = stage if only is None else replace(stage, record=stage.record.with_directive(for_some_only(facts, only)))
    changed = facts if marks is None else replace(facts, marks=marks)
    before, after = _seen(stage, facts, later.record), _seen(later, changed, later.record)
    return {viewer: (seen, after[viewer]) for viewer, seen in before.items() if seen is not after[viewer]}


def for_some_only(facts: AccessFacts, only: Iterable[str]) -> Directive:
    """Return the directive that withholds a document from everybody but these viewers (E1).

    only: references, or codes of professions.
    """
    named = frozenset(only)
    actors = frozenset(name for name in named if "/" in name)
    documents = frozenset({facts.id})
    return Directive(
        "proposed", DirectiveKind.WITHHELD, excluded=actors, professions=named - actors, documents=documents
    )


def withheld_by(stage: Stage, request: AccessRequest, facts: AccessFacts) -> tuple[str, ...]:
    """Return the ids of the directives that withhold a document from a requester; only some readers may learn them."""
    context = context_of(request, stage.record, stage.matrix, stage.profile)
    return tuple(d.id for d in conditions.withheld(context) if d.extent.touches(facts))


def visible(answer: Permit | Deny, documents: Iterable[AccessFacts]) -> list[bool]:
    """Tell which documents an answer shows."""
    return [_sees(answer, facts) for facts in documents]


def _seen(stage: Stage, facts: AccessFacts, naming: RecordState) -> dict[Viewer, bool]:
    """Tell which of the viewers whom a state of the space names would see a document."""
    return {viewer: _sees(answer, facts) for viewer, answer in _viewers(stage, facts, naming)}


def _viewers(stage: Stage, facts: AccessFacts, naming: RecordState) -> Iterator[tuple[Viewer, Permit | Deny]]:
    patient = Requester(RequesterKind.PATIENT, f"Patient/{stage.record.patient}")
    yield Viewer("patient", patient.person), _ask(stage, patient, stage.record, Purpose.PATIENT_REQUEST)
    for directive in naming.directives:
        for role, actor in _roles(directive):
            requester = _named(stage, actor, directive.kind)
            if requester:
                yield Viewer(role, actor), _ask(stage, requester, stage.record, Purpose.TREATMENT)
    for depositor in _depositors(stage, facts):
        name = depositor.person or depositor.client
        yield Viewer("depositor", name), _ask(stage, depositor, stage.record, Purpose.TREATMENT)
    for profession in sorted(code for code in stage.matrix.professions if stage.matrix.is_health_profession(code)):
        for mode in ("care-team", "break-glass"):
            yield Viewer(mode, profession), as_profession(stage, profession, mode)


def _roles(directive: Directive) -> Iterator[tuple[str, str]]:
    """Yield (role, reference) for each person that a directive names, the persons whom a document is for included."""
    for actor in sorted(directive.actors):
        yield directive.kind.value, actor
    if directive.kind is DirectiveKind.WITHHELD:
        for actor in sorted(directive.excluded):
            yield "document-for", actor


def _named(stage: Stage, actor: str, kind: DirectiveKind) -> Requester | None:
    """Return the requester to whom a directive gives access; None when it gives none or the profession is unknown."""
    if kind in _FOR_RELATED:
        return Requester(RequesterKind.RELATED, actor)
    profession = stage.people.get(actor, _PHYSICIAN if kind is DirectiveKind.DECLARED_PHYSICIAN else "")
    if kind in _FOR_PROFESSIONALS and profession:
        return Requester(RequesterKind.PROFESSIONAL, actor, profession=profession)
    return None


def _depositors(stage: Stage, facts: AccessFacts) -> Iterator[Requester]:
    profession = stage.people.get(facts.owner_person)
    if profession:
        yield Requester(RequesterKind.PROFESSIONAL, facts.owner_person, profession=profession)
    client = facts.owner_client or facts.owner_organization
    if client:
        yield Requester(RequesterKind.SYSTEM, organization=facts.owner_organization, client=client)


def _pretended(stage: Stage, kind: DirectiveKind, mode: str) -> Directive:
    return Directive(
        "pretended",
        kind,
        actors=frozenset({SOMEWHERE if mode == "care-team" else SOMEBODY}),
        purposes=frozenset({MODES[mode][1]}),
        recorded_at=stage.at,
        by_patient=True,
        reason="simulation",
    )


def _ask(stage: Stage, requester: Requester, record: RecordState, purpose: Purpose) -> Permit | Deny:
    request = AccessRequest(requester, Action.CONSULT, purpose, stage.at)
    return decide(request, record, stage.matrix, stage.profile)


def _sees(answer: Permit | Deny, facts: AccessFacts) -> bool:
    return isinstance(answer, Permit) and answer.sees(View.DOCUMENTS).admits(facts)
