"""The check-up of a space: what others could see today, and where the patient changes it. One page, few queries.

It shows only what its reader sees on the other pages: counts and names come from the same searches.
Source: rules E1, F1 and G3; docs/portal.md.
"""

from datetime import timedelta
from typing import Any

from flask import Response, current_app, make_response, render_template

from consent_rules.vocabulary import NO_SPACE, DirectiveKind, Purpose
from fhir_server.application.consents import invitations
from fhir_server.application.identity.grant_replacement import in_force
from fhir_server.application.identity.grants import Grant, grants_of
from fhir_server.application.notices import choices
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.documents.security_labels import TRE_A07
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import KINDS
from fhir_server.http.pages.frame.asking import count
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.sharing import choices_in_force as found_choices
from fhir_server.http.pages.sharing.choices_in_force import choices_in_force
from fhir_server.http.request_context import runtime

_READING = f"{found_choices.READING} patient/DocumentReference.s patient/Communication.s"
_LATELY = timedelta(days=90)
"""An app that was not used for so long, and an access that nothing explains since then, are worth a look."""
_SWITCHES = "emergency"
"""The endpoint of the page with the switches for emergencies; a server may come without it."""
_DELEGATES = (DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER)
_PHYSICIANS = (DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR)


@page(Role.PATIENT, "/check-up", _READING, interaction_of(EventKind.INVITATIONS_LOOKED_AT))
def check_up(visit: Visit) -> Response:
    """Show what others could see today, each with the page that changes it."""
    at = runtime().now()
    said = choices_in_force(visit, at)
    told: dict[str, Any] = {"said": said, "agreed": said.of(DirectiveKind.AGREEMENT)}
    told |= {"blocked": said.of(DirectiveKind.BLOCK), "delegates": said.of(*_DELEGATES)}
    told |= {"withheld": said.of(DirectiveKind.WITHHELD)}
    told |= {"physicians": said.of(*_PHYSICIANS), "emergencies": _emergencies(said.closed)}
    told |= {
        "hides_new": DirectiveKind.HIDDEN_BY_DEFAULT in said.settings,
        "opens_hidden": DirectiveKind.HIDDEN_IN_EMERGENCY in said.settings,
        "asks_first": DirectiveKind.ASK_FIRST in said.settings,
    }
    told |= _counts(visit) | {"codes": invitations.in_force(runtime(), visit.caller, visit.patient)}
    told |= {"apps": _apps(visit), "stale": at - _LATELY, "mail": choices.of_account(runtime(), visit.session.account)}
    told |= {"emergency_page": visit.address(_SWITCHES) if f"portal.{_SWITCHES}" in current_app.view_functions else ""}
    return make_response(render_template("portal/sharing/check_up.html", visit=visit, **told))


def _counts(visit: Visit) -> dict[str, int | None]:
    """Return how many documents and notices there are; None for more than the server counts."""
    current = [("patient", visit.patient), ("status", "current")]
    documents = count(visit.caller, "DocumentReference", current)
    hidden = count(visit.caller, "DocumentReference", [*current, ("security-label", f"{TRE_A07}|MASQUE_PS")])
    since = (runtime().now() - _LATELY).isoformat(timespec="seconds")
    of_kind = ("category", f"{KINDS}|{NoticeKind.UNEXPLAINED.value}")
    unexplained = count(visit.caller, "Communication", [("patient", visit.patient), of_kind, ("sent", f"ge{since}")])
    return {"documents": documents, "hidden": hidden, "unexplained": unexplained}


def _emergencies(closed: frozenset[Purpose]) -> dict[str, bool]:
    """Return which emergency modes are open."""
    return {"regulation": Purpose.EMERGENCY not in closed, "break_glass": Purpose.BREAK_GLASS not in closed}


def _apps(visit: Visit) -> list[Grant]:
    """Return the apps of the person who is signed in that may act in this space."""
    granted = in_force(grants_of(runtime(), visit.session.account.subject))
    return [grant for grant in granted if grant.launch_patient in (NO_SPACE, visit.patient)]
