"""Filing a document at the desk, and announcing a result that was held; filing needs no ground to read.

The publication is that of an app (ITI-105): the same command, events, Provenance and notices.
Source: rules C9, E7 to E11 and B6; docs/labels.md.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from flask import Response, make_response, render_template, request

from consent_rules.vocabulary import Mark
from fhir_server.application.bundles import handlers
from fhir_server.application.documents.hiding_and_withdrawal import Show, change_document
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.language import local
from fhir_server.http.pages.professional import deposit_form, in_view
from fhir_server.http.pages.professional.deposit_form import Deposit
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY
from fhir_server.settings import limits

_DOCUMENT = REGISTRY["DocumentReference"]
_CREATING = AuditedInteraction(Interaction.CREATE, _DOCUMENT.name, _DOCUMENT.transactions.get(Interaction.CREATE, ""))
_FAULTS = frozenset({Category.BUSINESS_RULE, Category.INVALID, Category.FORBIDDEN})
_MEGABYTE = 1024 * 1024


@page(Role.PROFESSIONAL, "/patients/<uuid:patient>/deposit", "", _CREATING)
def care_deposit(visit: DeskVisit) -> Response:
    """Show the form of a deposit."""
    return _shown(visit, {})


@form(
    Role.PROFESSIONAL,
    "/patients/<uuid:patient>/deposit",
    "patient/DocumentReference.c",
    _CREATING,
    uploads=True,
)
def file_deposit(visit: DeskVisit) -> Response:
    """File a document; sent twice, the form files it once."""
    sent = Deposit.read(request.form, request.form.getlist("mark"), request.files.get("file"))
    problems = sent.problems(deposit_form.offered(visit))
    if problems or not _is_id(sent.key):
        return _shown(visit, problems)
    try:
        handlers.create(runtime(), visit.caller, _DOCUMENT, sent.publication(visit))
    except Problem as problem:
        told = deposit_form.told(problem.issues) if problem.category in _FAULTS else {}
        if told:
            return _shown(visit, told)
        if problem.category is not Category.DUPLICATE:
            raise
    return back_to(visit.address("deposit", done="filed"))


@form(
    Role.PROFESSIONAL,
    "/patients/<uuid:patient>/documents/<uuid:id_>/announce",
    "patient/DocumentReference.ru",
    AuditedInteraction(Interaction.PATCH, _DOCUMENT.name, kind=EventKind.DOCUMENT_RELEASED),
)
def announce(visit: DeskVisit, id_: UUID) -> Response:
    """Show the patient a result that was held, because it has been announced."""
    change_document(runtime(), visit.caller, str(id_), Show(Mark.INVISIBLE_PATIENT))
    return back_to(visit.address("document", id_=id_, done="announced"))


def _is_id(key: str) -> bool:
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False


def _shown(visit: DeskVisit, problems: Mapping[str, Any]) -> Response:
    now, key = runtime().now(), request.form.get("key", "")
    shown = {
        "problems_found": problems,
        "kinds": deposit_form.offered(visit),
        "key": key if _is_id(key) else str(uuid4()),
        "today": local(now).date().isoformat(),
        "opens": runtime().profile.sealed.after(now),
        "most": limits.in_force().body_bytes // _MEGABYTE,
        "marks": set(request.form.getlist("mark")),
        "name": in_view.known(visit),
    }
    text = render_template("portal/professional/deposit.html", visit=visit, **shown)
    return make_response(text, 422 if problems else 200)
