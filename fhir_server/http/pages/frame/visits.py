"""A visit: a signed-in person on one page, in one role, with what this page may ask for.

The navigation of the layout shows the visit of the request; without one it shows the public navigation.
Source: docs/portal.md; docs/adr/0129-one-frame-for-all-pages.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import abort, g, request, url_for

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import PatientId
from fhir_server.application.core import lockdown
from fhir_server.application.identity.accounts import Grantee, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.audit.audit_event import PAGES
from fhir_server.domain.caller import Caller
from fhir_server.http.pages.frame.roles import NAVIGATION, Item, Role
from fhir_server.http.request_context import origin, runtime
from fhir_server.oauth.login.sessions import Session

PAGE = Client(PAGES, "Habilis", ClientKind.PATIENT_APP)
"""The client in the audit events of everything that is asked on a page."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person on a page of a role. represented: the patient in view.

    caller: the person as the commands and queries take them, with the scopes that the page declares.
    """

    role: Role
    session: Session
    represented: RepresentedPatient
    caller: Caller

    @property
    def csrf(self) -> str:
        """The token that each form of the page carries."""
        return self.session.csrf

    @property
    def patient(self) -> PatientId:
        """The id of the patient in view."""
        return self.represented.patient

    @property
    def is_for_oneself(self) -> bool:
        """Tell whether the patient in view is the person who is signed in."""
        return self.represented.person == self.session.account.person

    @property
    def has_choice(self) -> bool:
        """Tell whether the person may look at another space."""
        return len(self.session.account.patients) > 1

    @property
    def navigation(self) -> list[tuple[str, Any, bool]]:
        """The navigation of the role: address, label, and whether it leads to the page in view."""
        return [
            (self._address_of(item), item.label, request.endpoint == item.endpoint) for item in NAVIGATION[self.role]
        ]

    def address(self, endpoint: str, **values: object) -> str:
        """Return the address of another page about the patient in view. endpoint: without the blueprint."""
        return url_for(f"portal.{endpoint}", patient=self.patient, **values)  # type: ignore[arg-type]  # any value has a text

    def _address_of(self, item: Item) -> str:
        named: dict[str, Any] = {item.names: self.patient} if item.names else {}
        return url_for(item.endpoint, **named)


def begin(role: Role, session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> Visit:
    """Begin the visit of this request; take out of `named` what the prefix of the role names.

    scopes: all that the page may ask for. Raises: HTTPException 404 for what the person may not see, as for what does
    not exist.
    """
    visit = _BEGINNERS[role](session, scopes, named)
    g.visit = visit
    return visit


def of_patient(session: Session, scopes: Scopes, patient: PatientId) -> Visit:
    """Return a visit in the space of a patient for whom the person acts. Raises: HTTPException 404 for any other."""
    represented = session.account.represented_patient(patient)
    if represented is None:
        abort(404)
    granted = Grantee(PAGE, session.account, launch_patient=patient).on_page(session.id)
    caller = Caller.of_page(granted, scopes, origin(), in_lockdown=lockdown.find(runtime()) is not None)
    return Visit(Role.PATIENT, session, represented, caller)


def _in_space(session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> Visit:
    return of_patient(session, scopes, PatientId(str(named.pop("patient"))))


_BEGINNERS: Mapping[Role, Callable[[Session, Scopes, dict[str, str | UUID]], Visit]] = {Role.PATIENT: _in_space}
"""How a visit begins in each role."""
