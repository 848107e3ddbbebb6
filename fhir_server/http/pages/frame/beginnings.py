"""How a visit begins in each role: who may open the page, and what they may ask for.

The navigation of the layout shows the visit of the request; without one it shows the public navigation.
Source: docs/portal.md; docs/adr/0129-one-frame-for-all-pages.md.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

from flask import g

from consent_rules.scopes import Scopes
from fhir_server.http.pages.frame import desks, staff, visits
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.visits import Presence
from fhir_server.oauth.login.sessions import Session

Beginner = Callable[[Session, Scopes, dict[str, str | UUID]], Presence]
_BEGINNERS: Mapping[Role, Beginner] = {
    Role.PATIENT: visits.in_space,
    Role.PROFESSIONAL: desks.at_desk,
    Role.EMERGENCY: desks.in_emergency,
    Role.OPENING: desks.about_to_open,
    Role.OFFICER: staff.officer,
    Role.OPERATOR: staff.operator,
}


def begin(role: Role, session: Session, scopes: Scopes, named: dict[str, str | UUID]) -> Presence:
    """Begin the visit of this request; take out of `named` what the prefix of the role names.

    scopes: all that the page may ask for. Raises: HTTPException 404 for what the person may not see, as for what does
    not exist; Problem(UNAUTHENTICATED) for a professional whose sign-in is too weak.
    """
    visit = _BEGINNERS[role](session, scopes, named)
    g.visit = visit
    return visit
