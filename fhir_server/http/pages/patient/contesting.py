"""The form by which a person contests a notice or a line of the journal, or takes that back.

Source: statement V8 of docs/rules.md; docs/adr/0087-contesting-what-was-declared.md.
"""

from uuid import UUID

from flask import Response, abort, request, url_for

from consent_rules.vocabulary import PatientId
from fhir_server.application.consents import contests
from fhir_server.application.core.enforcement_point import demand_served
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.pages.patient.journal import acting_as
from fhir_server.http.pages.sign_in.frame import current_session, gone, is_same, oauth_pages, see_other
from fhir_server.http.request_context import runtime

_TYPES = {"notices": "Communication", "journal": "AuditEvent"}


@oauth_pages.post("/account/<any(notices, journal):where>/<uuid:id_>/contest")
def contest(where: str, id_: UUID) -> Response:
    """Contest a notice or line, or take a contest back; what the person does not see is answered like an unknown id."""
    session = current_session()
    if session is None or not is_same(session.csrf):
        return gone()
    key = request.form.get("person", "")
    represented = session.account.represented_patient(PatientId(key))
    if represented is None:
        abort(404)
    caller, is_undone = acting_as(session, represented), request.form.get("act") == "undo"
    demand_served(runtime(), caller, represented.patient, interaction_of(EventKind.CONTESTED))
    try:
        (contests.withdraw if is_undone else contests.contest)(runtime(), caller, _TYPES[where], str(id_))
    except Problem as problem:
        if problem.category is Category.NOT_FOUND:
            abort(404)
        return gone()
    contested = None if is_undone else str(id_)
    if where == "notices":
        return see_other(url_for("pages.one_notice", id_=id_, contested=contested))
    return see_other(url_for("pages.journal", person=key, contested=contested, _anchor=str(id_)))
