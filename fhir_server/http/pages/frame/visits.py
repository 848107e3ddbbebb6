"""A visit: a signed-in person on one page, in one role, with what this page may ask for.

Source: docs/portal.md; docs/adr/0129-one-frame-for-all-pages.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import abort, request, url_for
from flask_babel import gettext

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import NO_SPACE, PatientId, RequesterKind
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
class Presence:
    """A signed-in person on a page of a role, whichever it is.

    caller: the person as the commands and queries take them, with the scopes that the page declares.
    """

    role: Role
    session: Session
    caller: Caller

    @property
    def csrf(self) -> str:
        """The token that each form of the page carries."""
        return self.session.csrf

    @property
    def patient(self) -> PatientId:
        """The id of the patient in view, NO_SPACE for none."""
        return NO_SPACE

    @property
    def heading(self) -> str:
        """In which role, or in whose space, the person is: the words of the layout."""
        return ""

    @property
    def has_choice(self) -> bool:
        """Tell whether the person may change to another space, practice situation or role."""
        return len(self.session.account.patients) + len(self.session.account.practices) > 1

    @property
    def named(self) -> Mapping[str, Any]:
        """What addresses of the role's pages name, by the name of the parameter."""
        return {}

    @property
    def navigation(self) -> list[tuple[str, Any, bool]]:
        """The navigation of the role: address, label, and whether it leads to the page in view."""
        return [
            (self._address_of(item), item.label, request.endpoint == item.endpoint) for item in NAVIGATION[self.role]
        ]

    def _address_of(self, item: Item) -> str:
        return url_for(item.endpoint, **({item.names: self.named[item.names]} if item.names else {}))


@dataclass(frozen=True, slots=True)
class Visit(Presence):
    """A patient, or a person who acts for one, on a page of this space. represented: the patient in view."""

    represented: RepresentedPatient

    @property
    def patient(self) -> PatientId:
        """The id of the patient in view."""
        return self.represented.patient

    @property
    def heading(self) -> str:
        """Whose space it is."""
        return str(gettext("Space of %(name)s", name=self.represented.label))

    @property
    def is_for_oneself(self) -> bool:
        """Tell whether the patient in view is the person who is signed in."""
        return self.represented.kind is RequesterKind.PATIENT

    @property
    def named(self) -> Mapping[str, Any]:
        """The space in view; the journal calls it the person."""
        return {"patient": self.patient, "person": self.patient}

    def address(self, endpoint: str, **values: object) -> str:
        """Return the address of another page about the patient in view. endpoint: without the blueprint."""
        return url_for(f"portal.{endpoint}", patient=self.patient, **values)  # type: ignore[arg-type]  # any value has a text


def of_patient(session: Session, scopes: Scopes, patient: PatientId) -> Visit:
    """Return a visit in the space of a patient for whom the person acts. Raises: HTTPException 404 for any other."""
    represented = session.account.represented_patient(patient)
    if represented is None:
        abort(404)
    granted = Grantee(PAGE, session.account, launch_patient=patient).on_page(session.id)
    caller = Caller.of_page(granted, scopes, origin(), in_lockdown=lockdown.find(runtime()) is not None)
    return Visit(Role.PATIENT, session, caller, represented)


def in_space(session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> Visit:
    """Begin the visit of the space that an address names. Raises: as `of_patient`."""
    return of_patient(session, scopes, PatientId(str(named.pop("patient"))))
