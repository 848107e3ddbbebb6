"""The roles in which a signed-in person uses the portal, and the one navigation of each role.

A page belongs to one role, which its address names. A person who has several roles chooses one on the start page.
Source: docs/portal.md; docs/adr/0129-one-frame-for-all-pages.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext

from fhir_server.application.identity.accounts import Account


class Role(StrEnum):
    """In which role somebody uses a page."""

    PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a navigation. endpoint: of the page to which it leads. label: in the language of the page.

    names: the parameter of the address that names the patient in view, "" for a page that shows no patient's space.
    """

    endpoint: str
    label: Any
    names: str = "patient"


PREFIXES: Mapping[Role, str] = {Role.PATIENT: "/account/spaces/<uuid:patient>"}
"""Where the addresses of a role's pages begin; those of a patient's pages name the space in view."""
NAVIGATION: Mapping[Role, tuple[Item, ...]] = {
    Role.PATIENT: (
        Item("portal.documents", lazy_gettext("Documents")),
        Item("portal.people", lazy_gettext("People")),
        Item("portal.sharing", lazy_gettext("Let in once")),
        Item("pages.journal", lazy_gettext("Journal"), names="person"),
        Item("oauth_pages.apps", lazy_gettext("Apps"), names=""),
    )
}
"""The navigation of each role."""


def roles_of(account: Account) -> tuple[Role, ...]:
    """Return the roles in which a person may use the portal; () for a person for whom there are no pages yet."""
    return (Role.PATIENT,) if account.patients else ()
