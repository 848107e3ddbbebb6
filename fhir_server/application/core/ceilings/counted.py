"""A write that is counted: what it opens on a declaration or in an emergency, looks up, or files outside care.

Source: docs/adr/0084-what-is-counted-and-what-follows.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consent_rules.model import Directive, RecordState
from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.ceilings import entries, reached
from fhir_server.application.core.ceilings.tallies import Tally
from fhir_server.ports.store import Write
from fhir_server.registry import DOCUMENTS

_NEW = (0, 0)


@dataclass(slots=True)
class CountedAccess(Access):
    """An access of a write, with what the commit will count.

    in_care: spaces that were entered on a ground of care. words: by patient, until when an agreement that the caller
        declares (a professional's word alone) counts as one entry. emergencies: how many spaces are opened in an
        emergency.
    admissions: how many patients come into the care of the caller's establishment.
    seen: patients of whose space the write has read a resource that the caller may see.
    opened_on_words: how many spaces the write newly enters on declarations, once it is planned.
    """

    in_care: dict[PatientId, Opened] = field(default_factory=dict)
    words: dict[PatientId, datetime] = field(default_factory=dict)
    emergencies: int = 0
    admissions: int = 0
    seen: set[PatientId] = field(default_factory=set)
    opened_on_words: int = 0

    def note_opened(self, opened: Opened) -> None:
        """Note that the caller has entered a space."""
        Access.note_opened(self, opened)
        if opened.permit.grade is not None:
            self.in_care[opened.patient] = opened

    def declares(self, said: Iterable[Directive]) -> None:
        """Note agreements that the work records in the entered space: a declared one counts as an entry."""
        words = entries.declared(self, said)
        if words:
            self.words[self.entered.patient] = entries.end_of_word(self, words)

    def newly_entered(self, states: Mapping[PatientId, RecordState]) -> dict[PatientId, RecordState]:
        """Return the marked state of each of these spaces that the work newly enters on a declaration.

        states: of the spaces, as planned.
        Raises: Problem(CONSENT_REQUIRED) when the caller's declarations are suspended.
        """
        found = {
            patient: entries.marked(self, states[patient], until)
            for patient, until in self._on_a_word().items()
            if patient in states and entries.is_new(self, states[patient])
        }
        if found:
            reached.demand_trusted(self, self.outside_care(()).get(Tally.IDENTITIES, 0))
        self.opened_on_words = len(found)
        return found

    def newly_seen(self, states: Mapping[PatientId, RecordState]) -> dict[PatientId, RecordState]:
        """Return the marked state of each space that failed work newly entered on a declaration and saw something of.

        states: of the spaces entered. What the work itself would have declared is not stored, and not counted.
        Raises: as `newly_entered`.
        """
        self.words.clear()
        return self.newly_entered({patient: states[patient] for patient in self.seen if patient in states})

    def counted(self, writes: Iterable[Write]) -> dict[Tally, int]:
        """Return all that the work counts. writes: of the work."""
        own = {Tally.SPACES: self.opened_on_words, Tally.EMERGENCIES: self.emergencies}
        own[Tally.ADMISSIONS] = self.admissions
        return own | self.outside_care(writes)

    def outside_care(self, writes: Iterable[Write]) -> dict[Tally, int]:
        """Return what a person looks up and files outside their care; software files by number and is not counted."""
        if self.caller.requester.kind is not RequesterKind.PROFESSIONAL:
            return {}
        filed = [one.after.facts.access for one in writes if one.after.type in DOCUMENTS and one.expected == _NEW]
        return {
            Tally.IDENTITIES: sum(patient not in self.in_care for patient in self.looked_up.values()),
            Tally.DEPOSITS: sum(access.compartment not in self.in_care for access in filed),
        }

    def _on_a_word(self) -> Mapping[PatientId, datetime]:
        """Return the spaces that the work enters on a declaration, each with the instant until which that counts."""
        entered = ((patient, one) for patient, one in self.in_care.items() if entries.is_on_declared(one))
        return {patient: entries.end_of(self, one) for patient, one in entered} | self.words
