"""One notice as a page: where the link in a mail leads.

The link holds the random id of the notice and opens nothing by itself: whoever follows it signs in first.
Source: docs/adr/0079.
"""

from uuid import UUID

import orjson
from flask import Response, abort, make_response, redirect, render_template

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.enforcement_point import demand_served
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.notices import recipients
from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.base import site
from fhir_server.http.pages.patient.journal import reading_as
from fhir_server.http.pages.patient.notice_texts import tell
from fhir_server.http.pages.sign_in.frame import current_session
from fhir_server.http.request_context import runtime
from fhir_server.oauth.login.sessions import Session
from fhir_server.registry import REGISTRY


@site.get("/account/notices/<uuid:id_>")
def one_notice(id_: UUID) -> Response:
    """Show a notice to one of its readers; an unknown, a hidden and a foreign notice get the same answer."""
    session = current_session()
    if session is None:
        return make_response(redirect(f"/login?then={id_}", 303))
    if session.account.kind is RequesterKind.PROFESSIONAL:
        return make_response(render_template("pages/notice.html", notice=None))
    represented = _represented(session.account, str(id_))
    notice = _read(session, represented, str(id_)) if represented else None
    if represented is None or notice is None:
        abort(404)
    [told] = tell([notice], runtime().now())
    return make_response(render_template("pages/notice.html", notice=told, represented=represented, csrf=session.csrf))


def _represented(account: Account, id_: str) -> RepresentedPatient | None:
    """Return for which patient the account reads: the one in whose space the notice is, or any of its own.

    So a request for somebody else's notice is refused and audited like one for an unknown id.
    """
    patient = recipients.patient_of(runtime(), id_)
    found = account.represented_patient(patient) if patient else None
    return found or next(iter(account.patients), None)


def _read(session: Session, represented: RepresentedPatient, id_: str) -> Json | None:
    row, caller = REGISTRY["Communication"], reading_as(session, represented)
    asked = AuditedInteraction(Interaction.READ, row.name, target=f"{row.name}/{id_}")
    demand_served(runtime(), caller, represented.patient, asked)
    try:
        shown = read.read(runtime(), caller, row, id_)
    except Problem:
        return None
    notice: Json = orjson.loads(shown.stored.body)
    return notice
