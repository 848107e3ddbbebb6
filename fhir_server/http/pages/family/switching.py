"""What the layout says on every page of a space: in which capacity the person acts, and whose spaces they may look at.

Source: rules B1, B2 and B13; docs/portal.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import g, url_for

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.consents.standing import Standing, standing_of
from fhir_server.application.identity.accounts import RepresentedPatient
from fhir_server.http.pages.family.choices import class_words
from fhir_server.http.pages.frame.roles import NAVIGATION, Role
from fhir_server.http.pages.frame.routes import portal
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime

_MOST = 8
"""Whoever acts for more people changes between them on the start page alone."""


@dataclass(frozen=True, slots=True)
class Space:
    """A space that the person may look at. is_here: whether it is in view. is_own: whether it is the person's own."""

    address: str
    label: str
    is_here: bool
    is_own: bool


def spaces(visit: Visit) -> list[Space]:
    """Return the spaces of a person who may look at several, each with its first page; [] when there is no choice."""
    account = visit.session.account
    if not _shows_patient(visit) or not 1 < len(account.patients) <= _MOST:
        return []
    first = NAVIGATION[Role.PATIENT][0].endpoint
    return [
        Space(url_for(first, patient=one.patient), one.label, one.patient == visit.patient, _is_own(one))
        for one in account.patients
    ]


def _is_own(one: RepresentedPatient) -> bool:
    return one.kind is RequesterKind.PATIENT


def standing(visit: Visit) -> Standing | None:
    """Return in which capacity the person acts for the patient in view, None in their own space."""
    if not _shows_patient(visit) or visit.is_for_oneself:
        return None
    if "standing" not in g:
        g.standing = standing_of(runtime(), visit.caller, visit.patient)
    found: Standing | None = g.standing
    return found


def _shows_patient(visit: Visit) -> bool:
    return visit.role.value == Role.PATIENT.value


@portal.app_context_processor
def _family() -> dict[str, Callable[..., Any]]:
    """Give the layout of all pages, the journal too, what it asks for a visit."""
    return {"spaces_of": spaces, "standing_of": standing, "class_words": class_words}
