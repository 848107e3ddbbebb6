"""Emergencies: the two switches and the third, and what a physician would see in an emergency today.

Source: rules G1 to G6; docs/portal.md.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, abort, make_response, render_template, request
from flask_babel import lazy_gettext

from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.spaces.settings import MODES, SpaceSettings
from fhir_server.domain.audit.interactions import AuditedInteraction, interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.documents.words import DocumentInWords, tell
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.space import switches

_READING = "patient/Consent.r patient/DocumentReference.rs"
_WIDENING = DirectiveKind.HIDDEN_IN_EMERGENCY.value
SWITCHES = (*MODES, _WIDENING)
_DONE: Mapping[tuple[str, bool], Any] = {
    ("break-glass", True): lazy_gettext("Health professionals may open this space in an emergency again."),
    ("break-glass", False): lazy_gettext("No health professional can open this space in an emergency now."),
    ("regulation", True): lazy_gettext("The physician of the emergency call centre may open this space again."),
    ("regulation", False): lazy_gettext("The physician of the emergency call centre cannot open this space now."),
    (_WIDENING, True): lazy_gettext("In an emergency, hidden documents are seen too now."),
    (_WIDENING, False): lazy_gettext("In an emergency, hidden documents stay hidden now."),
}
"""What the page says after a change, by switch and position."""


@page(Role.PATIENT, "/emergency", _READING, interaction_of(EventKind.SPACE_SETTINGS_READ))
def emergency(visit: Visit) -> Response:
    """Show the switches, and what is seen in an emergency today."""
    settings = switches.read(visit)
    seen, unseen = _documents(visit, settings)
    shown = {"settings": settings, "seen": seen, "unseen": unseen, "done": _done(settings)}
    return make_response(render_template("portal/space/emergency.html", visit=visit, **shown))


@form(Role.PATIENT, "/emergency/switch", switches.CHANGING, AuditedInteraction(Interaction.CREATE, "Consent"))
def switch_emergency(visit: Visit) -> Response:
    """Turn one of the switches; the page offers to undo it."""
    name, on = request.form.get("switch", ""), request.form.get("on", "")
    if name not in SWITCHES or on not in {"yes", "no"}:
        abort(422)
    switches.switch(visit, name, on=on == "yes")
    return back_to(visit.address("emergency", done=name))


def _done(settings: SpaceSettings) -> tuple[str, Any, bool] | None:
    """Return the switch that was just turned, what to say, and the position that undoes it."""
    name = request.args.get("done", "")
    if name not in SWITCHES:
        return None
    on = settings.of(name).is_on
    return name, _DONE[name, on], not on


def _documents(visit: Visit, settings: SpaceSettings) -> tuple[list[DocumentInWords], list[DocumentInWords]]:
    """Return which documents an emergency sees and which not, in words."""
    told = {one.document: one.seen for one in settings.documents or ()}
    if not told:
        return [], []
    asked = [("patient", visit.patient), ("_id", ",".join(told)), ("_count", str(len(told))), ("_sort", "-date")]
    found = [tell(one, {}) for one in find(visit.caller, "DocumentReference", asked).resources]
    return [one for one in found if told[one.id]], [one for one in found if not told[one.id]]
