"""Choices about the access to a space, and facts about who may act there: one command for each intent.

A choice is stored as a Consent: as it was sent, or else as the command writes it. Who may record which choice is asked
when it is recorded (`recording`, `authority`).
Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/); rules B2, B13, C1 to C8, D4, E4, E12, E17, F1 to F6, G4 and G5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from consent_rules.decision.conditions import is_switch
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, PatientId, Purpose
from fhir_server.domain.commands import causes_of, command
from fhir_server.domain.consents.directives import directives_of, speaks
from fhir_server.domain.consents.elements import EMERGENCIES
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Json

Said = tuple[Directive, ...]
"""The directives of one Consent: its root provision first, then its exceptions."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that somebody states about a space.

    said: without who gave it, which is added when it is recorded. consent: as it was sent, with the patient by literal
    reference; None to have one written.
    """

    kind: ClassVar[DirectiveKind | None] = None
    patient: PatientId
    said: Said
    consent: Json | None = None

    @classmethod
    def of(
        cls,
        patient: PatientId,
        *actors: str,
        until: datetime | None = None,
        purposes: Iterable[Purpose] = (),
        documents: Iterable[str] | None = None,
    ) -> Self:
        """State a choice by its parts.

        actors: references of those whom it names. until: exclusive end, None for no end. purposes: () for all.
        documents: ids of those that it is limited to, None for the whole space.
        """
        if cls.kind is None:
            raise TypeError(cls.__name__)
        limited = None if documents is None else frozenset(documents)
        said = Directive(
            "", cls.kind, frozenset(actors), purposes=frozenset(purposes), end=until, documents=limited
        )  # fmt: skip
        return cls(patient, (said,))


@command(EventKind.CONSENT_GIVEN)
class Agree(Choice):
    """Let professionals, establishments or a care team in (C5, C6, E4)."""

    kind = DirectiveKind.AGREEMENT


@command(EventKind.PROFESSIONAL_BLOCKED)
class Block(Choice):
    """Close the space to professionals or establishments, whatever else would let them in (F1 to F6)."""

    kind = DirectiveKind.BLOCK


@command(EventKind.SWITCH_SET)
class SwitchEmergenciesOff(Choice):
    """Close the space to emergency modes, for everybody (G4)."""

    kind = DirectiveKind.BLOCK

    @classmethod
    def of_modes(cls, patient: PatientId, modes: Iterable[Purpose] = EMERGENCIES) -> Self:
        """State which modes are switched off."""
        return cls.of(patient, purposes=modes)


@command(EventKind.DOCUMENTS_WITHHELD)
class Withhold(Choice):
    """Withhold some documents from some parties, or from everybody (E4)."""

    kind = DirectiveKind.WITHHELD

    @classmethod
    def from_all_but(cls, patient: PatientId, spared: Iterable[str], documents: Iterable[str]) -> Self:
        """Withhold documents from everybody but some. spared: their references. documents: ids."""
        directive = Directive(
            "", DirectiveKind.WITHHELD, excluded=frozenset(spared), documents=frozenset(documents)
        )  # fmt: skip
        return cls(patient, (directive,))


@command(EventKind.PHYSICIAN_DECLARED)
class DeclarePhysician(Choice):
    """Declare the attending physician, who reads the whole record (D4)."""

    kind = DirectiveKind.DECLARED_PHYSICIAN


@command(EventKind.ADMINISTRATOR_NAMED)
class NameAdministrator(Choice):
    """Let a professional administer the space."""

    kind = DirectiveKind.ADMINISTRATOR


@command(EventKind.GUARDIAN_RECORDED)
class RecordRepresentative(Choice):
    """Record who legally represents the patient (B3)."""

    kind = DirectiveKind.REPRESENTATIVE


@command(EventKind.GUARDIAN_RECORDED)
class RecordGuardian(Choice):
    """Record who is the guardian of an adult patient (B3)."""

    kind = DirectiveKind.GUARDIAN


@command(EventKind.CARER_NAMED)
class NameCarer(Choice):
    """Let a relative help the patient, until a date (B13)."""

    kind = DirectiveKind.CARER


@command(EventKind.SWITCH_SET)
class OpenHiddenInEmergencies(Choice):
    """Let emergencies see hidden documents too (G5)."""

    kind = DirectiveKind.HIDDEN_IN_EMERGENCY


@command(EventKind.SWITCH_SET)
class HideByDefault(Choice):
    """Hide every document, present and new (E12)."""

    kind = DirectiveKind.HIDDEN_BY_DEFAULT


@command(EventKind.SWITCH_SET)
class HideCareHistory(Choice):
    """Hide the history of care (in France, of reimbursements) from professionals, as one block (E13)."""

    kind = DirectiveKind.CARE_HISTORY_HIDDEN


@command(EventKind.SWITCH_SET)
class AskFirst(Choice):
    """Have the patient asked before each access."""

    kind = DirectiveKind.ASK_FIRST


@command(EventKind.SWITCH_SET)
class SeeResultsAtOnce(Choice):
    """Have no result wait for a professional (E9)."""

    kind = DirectiveKind.AT_ONCE


@command(EventKind.SWITCH_SET)
class BeToldOfFiling(Choice):
    """Have a notice for each filed or changed document."""

    kind = DirectiveKind.TOLD_OF_FILING


@command(EventKind.SWITCH_SET)
class RestoreDefault(Choice):
    """Set a default of the space back to what applies when nobody has chosen."""


@command(EventKind.CHOICE_RECORDED)
class Draft(Choice):
    """Record a choice that has no effect yet: a draft or a proposal."""


@command(EventKind.CHOICE_CHANGED)
class ChangeChoice(Choice):
    """Change a choice that is in force before and after, or neither before nor after."""


@command(EventKind.CHOICE_REVOKED)
class Revoke(Choice):
    """End a choice: its Consent is no longer in force."""


@command(EventKind.CONSENT_REVOKED)
class EndAgreement(Revoke):
    """End an agreement."""


@command(EventKind.PROFESSIONAL_UNBLOCKED)
class Unblock(Revoke):
    """End a block; consents given before the block stay ended (F5)."""


@command(EventKind.PHYSICIAN_UNDECLARED)
class UndeclarePhysician(Revoke):
    """End the declaration of the attending physician."""


@command(EventKind.ADMINISTRATOR_REMOVED)
class RemoveAdministrator(Revoke):
    """End the powers of an administrator."""


@command(EventKind.GUARDIAN_REMOVED)
class RemoveGuardian(Revoke):
    """End a legal representation, or a guardianship."""


@command(EventKind.CARER_REMOVED)
class RemoveCarer(Revoke):
    """End the powers of a carer."""


_RECORDING: Mapping[DirectiveKind, type[Choice]] = {
    one.kind: one
    for one in (
        Agree, Block, Withhold, DeclarePhysician, NameAdministrator, RecordRepresentative, RecordGuardian, NameCarer,
        OpenHiddenInEmergencies, HideByDefault, HideCareHistory, AskFirst, SeeResultsAtOnce, BeToldOfFiling,
    )
    if one.kind
}  # fmt: skip
_ENDING: Mapping[DirectiveKind, type[Revoke]] = {
    DirectiveKind.AGREEMENT: EndAgreement,
    DirectiveKind.BLOCK: Unblock,
    DirectiveKind.DECLARED_PHYSICIAN: UndeclarePhysician,
    DirectiveKind.ADMINISTRATOR: RemoveAdministrator,
    DirectiveKind.REPRESENTATIVE: RemoveGuardian,
    DirectiveKind.GUARDIAN: RemoveGuardian,
    DirectiveKind.CARER: RemoveCarer,
}


def choice_of(patient: PatientId, said: Said, consent: Json, before: Said | None) -> Choice:
    """Name the command that a Consent asks for.

    said: what it compiles to. before: what held by the Consent that it replaces, () for nothing; None when it replaces
    none. A kind that nobody records by a Consent is a plain Choice, which is refused when it is recorded.
    """
    if speaks(consent):
        named = _restating(said, before) if before else _recording(said)
    else:
        named = Draft if before is None else _ending(before)
    return named(patient, said, consent)


def in_force(consent: Json, id_: str) -> Said:
    """Return the directives in force by a stored Consent: none when it is not in force or cannot be read."""
    try:
        return directives_of(consent, id_) if speaks(consent) else ()
    except Problem:
        return ()


def _recording(said: Said) -> type[Choice]:
    root = said[0] if said else None
    if root is None:
        return RestoreDefault
    return SwitchEmergenciesOff if _is_mode(root) else _RECORDING.get(root.kind, Choice)


def _restating(said: Said, before: Said) -> type[Choice]:
    """Return the command for a choice that stays in force: its own for a setting or for other actors, else a change."""
    named = _recording(said)
    is_setting = causes_of(named) == (EventKind.SWITCH_SET,)
    is_of_others = named is _recording(before) and said[0].actors != before[0].actors if said else False
    return named if is_setting or is_of_others or named is Choice else ChangeChoice


def _ending(before: Said) -> type[Choice]:
    """Return the command that ends what held, whatever the new text says; nothing ends when nothing held."""
    root = before[0] if before else None
    if root is None:
        return ChangeChoice
    return Revoke if _is_mode(root) else _ENDING.get(root.kind, Revoke)


def _is_mode(root: Directive) -> bool:
    """Tell whether a block closes the space to emergency modes, not to anybody."""
    return root.kind is DirectiveKind.BLOCK and is_switch(root)
