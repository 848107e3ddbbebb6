"""A professional at the desk: on a page, in one practice situation, with what a token of this person could ask for.

The address names the situation, and the patient in view if there is one. A space that was opened in an emergency has
addresses of its own; for these, the server keeps what was declared as long as the grant of an app would last.
Source: docs/adr/0139-the-professionals-desk.md; rules G1 to G8.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import abort, url_for

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import NO_SPACE, PatientId, Purpose
from fhir_server.application.core import lockdown
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.directory import professionals
from fhir_server.application.identity.accounts import Account, Grantee, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.audit.audit_event import PAGES
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem, RequiredLogin
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.visits import Presence
from fhir_server.http.request_context import origin, runtime
from fhir_server.oauth.base import page_state
from fhir_server.oauth.base.page_state import Kept
from fhir_server.oauth.login import regulation
from fhir_server.oauth.login.sessions import Session
from fhir_server.oauth.resource import bearer

DESK = Client(PAGES, "Habilis", ClientKind.PROFESSIONAL_APP)
"""The client in the audit events of everything that a professional asks on a page."""
MODES = {"emergency": Purpose.BREAK_GLASS, "regulation": Purpose.EMERGENCY}
"""The emergency modes, as addresses name them."""


@dataclass(frozen=True, slots=True)
class DeskVisit(Presence):
    """A professional on a page. practice: the situation in which they act. in_view: id of the patient, if there is one.

    until: when the emergency access of this page ends, None outside emergencies.
    """

    practice: PractitionerRoleRef
    in_view: PatientId = NO_SPACE
    until: datetime | None = None

    @property
    def patient(self) -> PatientId:
        """The id of the patient in view, NO_SPACE for none."""
        return self.in_view

    @property
    def heading(self) -> str:
        """Who acts, and where."""
        return f"{self.session.account.display} · {self.practice.label or self.practice.organization_display}"

    @property
    def named(self) -> dict[str, Any]:
        """The practice situation."""
        return {"situation": key_of(self.practice)}

    def desk(self, endpoint: str, **values: object) -> str:
        """Return the address of a page of the same situation. endpoint: without the blueprint."""
        return url_for(f"portal.{endpoint}", **self.named, **values)  # type: ignore[arg-type]  # any value has a text

    def address(self, endpoint: str, **values: object) -> str:
        """Return the address of a page about the patient in view, in the same mode. endpoint: as the patient's page."""
        part = "emergency" if self.role is Role.EMERGENCY else "care"
        return self.desk(f"{part}_{endpoint}", patient=self.patient, **values)


def key_of(practice: PractitionerRoleRef) -> str:
    """Return how addresses name a practice situation; one that only the account knows is named by its place."""
    return (practice.role or practice.organization).rpartition("/")[2]


def situations(account: Account) -> tuple[PractitionerRoleRef, ...]:
    """Return the practice situations in which a person may act now, as the directory says."""
    return professionals.situations_of(runtime(), account)


def at_desk(session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> DeskVisit:
    """Begin the visit of a page of a practice situation, about the patient whom the address names, if it does.

    Raises: HTTPException 404 for a situation that is not the person's; Problem(UNAUTHENTICATED) when the sign-in is
    weaker than the operator demands.
    """
    practice = _practice(session.account, str(named.pop("situation")))
    patient = PatientId(str(named.pop("patient", NO_SPACE)))
    party = Grantee(DESK, session.account, practice, patient or None)
    return DeskVisit(Role.PROFESSIONAL, session, _caller(party, session, scopes), practice, patient)


def about_to_open(session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> DeskVisit:
    """Begin the visit of the page on which an emergency is declared.

    Raises: as `at_desk`; HTTPException 404 for regulation by somebody who is no regulating physician.
    """
    practice = _practice(session.account, str(named.pop("situation")))
    mode = _mode(session.account, str(named.pop("mode")))
    caller = _caller(Grantee(DESK, session.account, practice), session, scopes, mode)
    return DeskVisit(Role.OPENING, session, caller, practice)


def in_emergency(session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> DeskVisit:
    """Begin the visit of a page of a space that this session has opened in an emergency.

    Raises: as `at_desk`; Problem(FORBIDDEN) when it has opened none, or the access has ended.
    """
    practice = _practice(session.account, str(named.pop("situation")))
    patient = PatientId(str(named.pop("patient")))
    held = page_state.kept(runtime(), Kept.EMERGENCY, " ".join(_place(session, practice, patient)))
    if held is None:
        raise Problem.of(Category.FORBIDDEN, "no emergency access is open here", code="emergency-ended")
    mode, _, until = held.partition(" ")
    party = Grantee(DESK, session.account, practice, patient)
    caller = _caller(party, session, scopes, _mode(session.account, mode))
    return DeskVisit(Role.EMERGENCY, session, caller, practice, patient, datetime.fromisoformat(until))


def note_emergency(visit: DeskVisit, patient: PatientId, mode: str, until: datetime) -> None:
    """Keep that this session has opened a space, until an instant."""
    place = _place(visit.session, visit.practice, patient)
    page_state.keep_within(runtime(), Kept.EMERGENCY, place, f"{mode} {until.isoformat()}", until)


def end_emergency(visit: DeskVisit) -> None:
    """End the emergency access of this session to the space in view, from the next request on."""
    page_state.drop(runtime(), Kept.EMERGENCY, " ".join(_place(visit.session, visit.practice, visit.patient)))


def _practice(account: Account, key: str) -> PractitionerRoleRef:
    found = next((one for one in situations(account) if key_of(one) == key), None)
    if found is None:
        abort(404)
    return found


def _mode(account: Account, name: str) -> Purpose:
    if name not in MODES or (MODES[name] is Purpose.EMERGENCY and not account.regulator):
        abort(404)
    return MODES[name]


def _place(session: Session, practice: PractitionerRoleRef, patient: PatientId) -> tuple[str, str]:
    return session.id, f"{key_of(practice)} {patient}"


def _caller(party: Grantee, session: Session, scopes: Scopes, mode: Purpose = Purpose.TREATMENT) -> Caller:
    """Return the professional as the caller that a token of theirs would be, with the same demands on the sign-in.

    party: with the patient in view, so that nothing of another patient is shown under this patient's name.
    """
    served = runtime()
    caller = Caller.of_page(
        party.at_desk(session.id, session.proof, mode),
        scopes,
        origin(),
        in_lockdown=lockdown.find(served) is not None,
        supervision=supervising.find(served),
    )
    bearer.demand_of_professional(caller, served.professional_level, served.now())
    if mode is Purpose.EMERGENCY:
        bearer.demand(caller, RequiredLogin(regulation.LEVEL), served.now())
    return caller
