"""The roles in which a signed-in person uses the portal, and the one navigation of each role.

A page belongs to one role, which its address names. A person who has several roles chooses one on the start page.
Source: docs/portal.md; docs/adr/0129-one-frame-for-all-pages.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account


class Role(StrEnum):
    """In which role somebody uses a page."""

    PATIENT = "patient"
    PROFESSIONAL = "professional"
    EMERGENCY = "emergency"
    """A professional in a space that they have opened in an emergency."""
    OPENING = "opening"
    """A professional who is about to open a space in an emergency."""
    OFFICER = "officer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a navigation. endpoint: of the page to which it leads. label: in the language of the page.

    names: the parameter of the address that names the patient in view, "" for a page that shows no patient's space.
    """

    endpoint: str
    label: Any
    names: str = "patient"


PREFIXES: Mapping[Role, str] = {
    Role.PATIENT: "/account/spaces/<uuid:patient>",
    Role.PROFESSIONAL: "/account/desk/<situation>",
    Role.EMERGENCY: "/account/desk/<situation>/emergencies/<uuid:patient>",
    Role.OPENING: "/account/desk/<situation>/openings/<mode>",
    Role.OFFICER: "/account/officer",
    Role.OPERATOR: "/account/operator",
}
"""Where the addresses of a role's pages begin; they name the space in view, or the practice situation."""
NAVIGATION: Mapping[Role, tuple[Item, ...]] = {
    Role.PATIENT: (
        Item("portal.documents", lazy_gettext("Documents")),
        Item("portal.people", lazy_gettext("People")),
        Item("portal.sharing", lazy_gettext("Let in once")),
        Item("portal.check_up", lazy_gettext("Check-up")),
        Item("pages.journal", lazy_gettext("Journal"), names="person"),
        Item("portal.requests", lazy_gettext("Requests")),
        Item("portal.emergency", lazy_gettext("Emergency")),
        Item("portal.apps", lazy_gettext("Apps")),
        Item("portal.my_space", lazy_gettext("My space")),
    ),
    Role.PROFESSIONAL: (
        Item("portal.find_patient", lazy_gettext("Patients"), names="situation"),
        Item("oauth_pages.apps", lazy_gettext("Apps"), names=""),
    ),
    Role.EMERGENCY: (Item("portal.find_patient", lazy_gettext("Patients"), names="situation"),),
    Role.OPENING: (Item("portal.find_patient", lazy_gettext("Patients"), names="situation"),),
    Role.OFFICER: (
        Item("portal.queue", lazy_gettext("Cases"), names=""),
        Item("portal.trail", lazy_gettext("Search"), names=""),
        Item("portal.suspensions", lazy_gettext("Suspensions"), names=""),
        Item("portal.matrix_versions", lazy_gettext("Matrix"), names=""),
        Item("pages.transparency", lazy_gettext("Transparency"), names=""),
    ),
    Role.OPERATOR: (
        Item("portal.state", lazy_gettext("State"), names=""),
        Item("portal.tasks", lazy_gettext("Tasks"), names=""),
        Item("portal.installation", lazy_gettext("Installation"), names=""),
    ),
}
"""The navigation of each role."""


def roles_of(account: Account) -> tuple[Role, ...]:
    """Return the roles in which a person may use the portal; () for a person for whom there are no pages yet."""
    practises = bool(account.practices) and account.kind is not RequesterKind.AUDITOR
    held = (
        (Role.PATIENT, account.patients),
        (Role.PROFESSIONAL, practises),
        (Role.OFFICER, account.kind is RequesterKind.AUDITOR),
        (Role.OPERATOR, account.kind is RequesterKind.SUPPORT),
    )
    return tuple(role for role, has in held if has)
