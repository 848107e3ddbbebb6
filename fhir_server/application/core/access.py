"""One request for patients' data: who asks for what, on which snapshot, and which space the rules have opened for it.

A query or a command makes one `Access` and hands it on. `enforcement_point` opens a space for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from consent_rules.merging import under_both
from consent_rules.model import AccessRequest, Permit, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.visibility import DIRECTORY, NOTHING, Extent, Visibility
from consent_rules.vocabulary import Action, Basis, PatientId, RequesterKind, View
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import identify
from fhir_server.application.core.smart_scopes import Limits
from fhir_server.domain import review_files
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Json
from fhir_server.ports.store import Snapshot, Space, SpaceWrite
from fhir_server.registry import REGISTRY, AccessRule, ResourceType

PATIENTS_SIDE = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})
"""The patient, and the relatives who act for the patient or follow their care."""
_FOR_THE_PATIENT = frozenset({Basis.PATIENT, Basis.REPRESENTATIVE})
_VIEWS = {
    AccessRule.DOCUMENT: View.DOCUMENTS,
    AccessRule.GATHERING: View.DOCUMENTS,
    AccessRule.CONTENT: View.DOCUMENTS,
    AccessRule.DIRECTIVE: View.DIRECTIVES,
    AccessRule.TRACE: View.TRACES,
    AccessRule.IDENTITY: View.IDENTITY,
    AccessRule.NOTICE: View.NOTICES,
}
_VIEW_OF = {name: _VIEWS[row.access] for name, row in REGISTRY.items() if row.access in _VIEWS}
_VIEW_OF[review_files.TYPE] = View.REVIEWS
"""The part of the space that a type belongs to; the directory belongs to no space."""
_ACTIONS = {AccessRule.TRACE: Action.READ_TRACES, AccessRule.NOTICE: Action.READ_NOTICES}
_ABOUT_DOCUMENTS = frozenset({View.TRACES, View.NOTICES})
_OPEN = frozenset({AccessRule.DIRECTORY, AccessRule.IDENTITY})
OF_THE_SPACE = frozenset(name for name, row in REGISTRY.items() if row.access not in _OPEN)
"""The types of what a space contains; the patient's identity and the directory are no part of it."""


def action_of(row: ResourceType) -> Action:
    """Return the action for reading a type."""
    return _ACTIONS.get(row.access, Action.CONSULT)


@dataclass(frozen=True, slots=True)
class KnownFilters:
    """The filters of some types; nothing is visible of any other type."""

    by_type: Mapping[str, Visibility]

    def of(self, type_: str) -> Visibility:
        """Return the filter of a type."""
        return self.by_type.get(type_, NOTHING)


NOTHING_SEEN = KnownFilters({})
IN_DIRECTORY = KnownFilters({name: DIRECTORY for name, row in REGISTRY.items() if row.access is AccessRule.DIRECTORY})
"""What every authenticated caller sees of the directory."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The other space of a merge, and its state."""

    space: Space
    record: RecordState


@dataclass(frozen=True, slots=True)
class Opened:
    """A space that the caller has entered: the permit, and the state of the space for which it was given.

    It holds the filters of the whole permit: pass it to a query that no scope limits.
    app_exclusions: documents that the person withholds from the calling app.
    told: the permit as the audit log tells it, without evidence that not everybody on the patient's side may know of;
    None when nothing else permits the access.
    beside: the space whose identity is merged with that of this one; None when there is none.
    """

    permit: Permit
    record: RecordState
    space: Space
    app_exclusions: tuple[Extent, ...] = ()
    told: Permit | None = None
    beside: "Beside | None" = None
    _made: dict[str, Visibility] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def patient(self) -> PatientId:
        """The id of the patient whose space this is."""
        return self.space.patient

    @property
    def is_for_patient(self) -> bool:
        """Whether the patient or a representative has entered, who may know whatever the patient may."""
        return self.permit.basis in _FOR_THE_PATIENT

    @property
    def pins(self) -> tuple[SpaceWrite, ...]:
        """Writes that make a commit fail if a space whose state the decision has read has changed since."""
        spaces = (self.space, self.beside.space) if self.beside else (self.space,)
        return tuple(SpaceWrite(one.patient, one.revision) for one in spaces)

    def of(self, type_: str) -> Visibility:
        """Return what the permit shows of a type; nothing of a type for which it has no filter."""
        found = self._made.get(type_)
        if found is None:
            view = _VIEW_OF.get(type_)
            found = self._made[type_] = self._sees(view) if view else NOTHING
        return found

    def within(self, caller: Caller, letter: str, limits: Mapping[str, Limits] = MappingProxyType({})) -> "Scoped":
        """Return the filters of the permit within the scopes of the caller's token.

        letter: of the interaction in a SMART scope. limits: by type, those that the calling code has demanded already.
        """
        return Scoped(
            self, caller, letter, {type_: smart_scopes.narrow(self.of(type_), found) for type_, found in limits.items()}
        )

    def _sees(self, view: View) -> Visibility:
        seen = self.permit.sees(view)
        if view is View.DOCUMENTS:
            return seen.without(self.app_exclusions)
        about = self.permit.sees(View.ABOUT).without(self.app_exclusions).clauses
        return replace(seen, documents=about) if view in _ABOUT_DOCUMENTS else seen

    def outcome(self, *touched: str, reason: str = "", confidential: bool = False) -> Outcome:
        """Return the outcome of an interaction that succeeded on this permit. touched: references, as in Outcome."""
        permit = self.told or self.permit
        return Outcome(
            OutcomeCode.DONE, reason, permit.basis, permit.rules, permit.matrix_version, touched, confidential
        )


@dataclass(frozen=True, slots=True)
class Scoped:
    """The filters of a permit within the scopes of a token; without a scope for a type, nothing of it is visible.

    Everybody sees the whole directory. letter: of the interaction in a SMART scope. made: the filters made so far.
    """

    opened: Opened
    caller: Caller
    letter: str
    made: dict[str, Visibility]

    def of(self, type_: str) -> Visibility:
        """Return the filter of a type."""
        found = self.made.get(type_)
        if found is None:
            found = self.made[type_] = self._filter(type_)
        return found

    def _filter(self, type_: str) -> Visibility:
        if type_ in IN_DIRECTORY.by_type:
            return DIRECTORY
        try:
            limits = smart_scopes.demand(self.caller, (type_,), self.letter, self.opened.patient)
        except Problem:
            return NOTHING
        return smart_scopes.narrow(self.opened.of(type_), limits)


@dataclass(slots=True)
class Access:
    """One request for patients' data, on one snapshot.

    audited: the interaction, as the audit log records it. at: the time of the request, by the clock.
    patient: in whose space the audit log records the interaction, None for none.
    opened: the space that was entered last, None before; a denial does not change it.
    carried: resources of the request that may name documents by an identifier alone.
    refused: whether the last decision was a denial; the audit log has it already.
    looked_up: identifiers that were looked up, each with the patient whom it names, None for nobody; they are counted.
    """

    runtime: Runtime
    caller: Caller
    audited: AuditedInteraction
    snapshot: Snapshot
    at: datetime = field(init=False)
    patient: PatientId | None = None
    opened: Opened | None = None
    carried: tuple[Json, ...] = ()
    refused: bool = False
    looked_up: dict[tuple[str, str], PatientId | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the time."""
        self.at = self.runtime.now()

    @property
    def entered(self) -> Opened:
        """The space that was entered last.

        Raises: AssertionError before the caller has entered one.
        """
        if self.opened is None:
            raise AssertionError("no space has been entered")
        return self.opened

    def beside(self, audited: AuditedInteraction) -> "Access":
        """Return the access of the same caller, on the same snapshot, for another interaction."""
        return Access(self.runtime, self.caller, audited, self.snapshot, carried=self.carried)

    def identify(self, system: str, value: str) -> PatientId | None:
        """Return the id of the patient whom an identifier names, None for nobody; the look-up is counted."""
        if (system, value) not in self.looked_up:
            self.looked_up[system, value] = identify(self.snapshot, system, value)
        return self.looked_up[system, value]

    def rules_on(self, record: RecordState) -> RecordState:
        """Return the state by which the entered space is decided. record: its own state, as planned or as read."""
        return ruled(record, self.entered.beside, self.at, self.runtime.profile)

    def asks(self, action: Action) -> AccessRequest:
        """Return the caller's request for an action, on which the rules decide."""
        return request_of(self.caller, action, self.at)

    def note_opened(self, opened: Opened) -> None:
        """Note that the caller has entered a space."""
        self.opened, self.patient, self.refused = opened, opened.patient, False

    def note_refused(self, _patient: PatientId) -> None:
        """Note that the caller was denied a space."""
        self.refused = True


def ruled(record: RecordState, beside: Beside | None, at: datetime, profile: RuleProfile) -> RecordState:
    """Return the state by which a space is decided: with what the space merged with it restricts, if there is one."""
    return under_both(record, beside.record, at, profile) if beside else record


def request_of(caller: Caller, action: Action, at: datetime) -> AccessRequest:
    """Return the request of a caller for an action at an instant, on which the rules decide."""
    return AccessRequest(caller.requester, action, caller.purpose, at, caller.in_lockdown)
