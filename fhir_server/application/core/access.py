"""One request for patients' data: who asks for what, on which snapshot, and which space the rules have opened for it.

A query or a command makes one `Access` and hands it on. `enforcement_point` opens a space for it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from consent_rules.model import AccessRequest, Permit, RecordState
from consent_rules.visibility import Extent, Visibility
from consent_rules.vocabulary import NO_SPACE, Action, PatientId, View
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.ports.store import Snapshot, Space, SpaceWrite

_ABOUT_DOCUMENTS = frozenset({View.TRACES, View.NOTICES})


@dataclass(frozen=True, slots=True)
class Opened:
    """A space that the caller has entered: the permit, and the state of the space for which it was given.

    app_exclusions: documents that the person withholds from the calling app.
    """

    permit: Permit
    record: RecordState
    space: Space
    app_exclusions: tuple[Extent, ...] = ()

    @property
    def patient(self) -> PatientId:
        """The id of the patient whose space this is."""
        return self.space.patient

    @property
    def pin(self) -> SpaceWrite:
        """A write that makes a commit fail if the space has changed since the decision."""
        return SpaceWrite(self.space.patient, self.space.revision)

    def sees(self, view: View) -> Visibility:
        """Return what is visible of one part of the space."""
        seen = self.permit.sees(view)
        if view is View.DOCUMENTS:
            return seen.without(self.app_exclusions)
        about = self.permit.sees(View.ABOUT).without(self.app_exclusions).clauses
        return replace(seen, documents=about) if view in _ABOUT_DOCUMENTS else seen

    def outcome(self, *touched: str, reason: str = "", confidential: bool = False) -> Outcome:
        """Return the outcome of an interaction that succeeded on this permit. touched: references, as in Outcome."""
        permit = self.permit
        return Outcome(
            OutcomeCode.DONE, reason, permit.basis, permit.rules, permit.matrix_version, touched, confidential
        )


@dataclass(slots=True)
class Access:
    """One request for patients' data, on one snapshot.

    audited: the interaction, as the audit log records it. at: the time of the request, by the clock.
    patient: in whose space the audit log records the interaction, "" for none.
    opened: the space that was entered last, None before; a denial does not change it.
    refused: whether the last decision was a denial; the audit log has it already.
    """

    runtime: Runtime
    caller: Caller
    audited: AuditedInteraction
    snapshot: Snapshot
    at: datetime = field(init=False)
    patient: PatientId = NO_SPACE
    opened: Opened | None = None
    refused: bool = False

    def __post_init__(self) -> None:
        """Take the time."""
        self.at = self.runtime.now()

    def beside(self, audited: AuditedInteraction) -> "Access":
        """Return the access of the same caller, on the same snapshot, for another interaction."""
        return Access(self.runtime, self.caller, audited, self.snapshot)

    def asks(self, action: Action) -> AccessRequest:
        """Return what the decision is asked."""
        return request_of(self.caller, action, self.at)

    def note_opened(self, opened: Opened) -> None:
        """Note that the caller has entered a space."""
        self.opened, self.patient, self.refused = opened, opened.patient, False

    def note_refused(self, _patient: PatientId) -> None:
        """Note that the caller was denied a space."""
        self.refused = True


def request_of(caller: Caller, action: Action, at: datetime) -> AccessRequest:
    """Return what the decision is asked for a caller."""
    return AccessRequest(caller.requester, action, caller.purpose, at, caller.in_lockdown)
