"""My space: its state; opposition with proof, closing, re-opening and erasure; where mails and sign-in are chosen.

Source: rules A1 to A14; docs/operations.md (the life of a space); docs/portal.md.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, abort, make_response, render_template, request
from flask_babel import lazy_gettext

from consent_rules.vocabulary import DirectiveKind, SpaceStatus
from fhir_server.application.reading import read
from fhir_server.application.spaces import lifecycle
from fhir_server.application.spaces.lifecycle import SpaceReport
from fhir_server.domain.audit.interactions import AuditedInteraction, interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.frame.asking import resource_of
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.patient import notice_texts
from fhir_server.http.pages.space import switches
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_LIVING = "patient/Patient.ru"
_FILING = DirectiveKind.TOLD_OF_FILING.value
_ACTS: Mapping[str, tuple[Callable[..., SpaceReport], SpaceStatus]] = {
    "oppose": (lifecycle.oppose, SpaceStatus.OPPOSED),
    "open": (lifecycle.open_space, SpaceStatus.ACTIVE),
    "close": (lifecycle.close, SpaceStatus.CLOSED),
    "close-and-erase": (partial(lifecycle.close, erase=True), SpaceStatus.CLOSED),
    "erase": (lifecycle.request_erasure, SpaceStatus.CLOSED),
}
"""What a form asks for: the command, and the state after it."""
_DONE: Mapping[str, Any] = {
    "oppose": lazy_gettext("You have opposed this space: it does not open."),
    "open": lazy_gettext("This space is open now."),
    "close": lazy_gettext("This space is closed now: nobody reads or files here."),
    "close-and-erase": lazy_gettext("This space is closed now, and its erasure is asked for."),
    "erase": lazy_gettext("The erasure of this space is asked for."),
}


@page(Role.PATIENT, "/my-space", "patient/Patient.r patient/Consent.r", interaction_of(EventKind.SPACE_STATUS_READ))
def my_space(visit: Visit) -> Response:
    """Show the state of the space and what can be done about it."""
    report = lifecycle.look(runtime(), visit.caller, visit.patient)
    told = switches.read(visit).of(_FILING).is_on if report.status is SpaceStatus.ACTIVE else None
    done = request.args.get("done", "")
    is_done = done in _ACTS and _ACTS[done][1] is report.status
    shown = {"report": report, "told_of_filing": told, "done": _DONE[done] if is_done else "", "act": done}
    proof = _as_id(request.args.get("receipt", "")) if is_done else None
    profile, now = runtime().profile, runtime().now()
    terms = {"kept_until": profile.archive.after(now), "erased_by": profile.erasure.after(now)}
    return make_response(render_template("portal/space/my_space.html", visit=visit, receipt=proof, **shown, **terms))


@form(Role.PATIENT, "/my-space/state", _LIVING, interaction_of(EventKind.SPACE_CLOSED))
def change_space(visit: Visit) -> Response:
    """Oppose, open or close the space, or ask for its erasure; the next page has the proof and a way back."""
    act = request.form.get("act", "")
    if act not in _ACTS:
        abort(422)
    report = _ACTS[act][0](runtime(), visit.caller, visit.patient)
    return back_to(visit.address("my_space", done=act, **({"receipt": report.notice} if report.notice else {})))


@form(Role.PATIENT, "/my-space/filing", switches.CHANGING, AuditedInteraction(Interaction.CREATE, "Consent"))
def tell_of_filing(visit: Visit) -> Response:
    """Have a notice of each filed or changed document, or no more."""
    on = request.form.get("on", "")
    if on not in {"yes", "no"}:
        abort(422)
    switches.switch(visit, _FILING, on=on == "yes")
    return back_to(visit.address("my_space", _anchor="notices"))


@page(
    Role.PATIENT,
    "/my-space/receipts/<uuid:id_>",
    "patient/Communication.r",
    AuditedInteraction(Interaction.READ, "Communication"),
)
def receipt(visit: Visit, id_: UUID) -> Response:
    """Show the notice of a change of the space, to be printed and kept as its proof (A6)."""
    notice = resource_of(read.read(runtime(), visit.caller, REGISTRY["Communication"], str(id_)))
    kind = str(notice["category"][0]["coding"][0]["code"])
    if notice.get("subject", {}).get("reference") != f"Patient/{visit.patient}" or not kind.startswith("space-"):
        raise Problem(Category.NOT_FOUND)
    [told] = notice_texts.tell([notice], runtime().now())
    return make_response(render_template("portal/space/receipt.html", visit=visit, notice=told))


def _as_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
