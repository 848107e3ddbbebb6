"""The pages of the data-protection officer: no document is shown, and no audit event is hidden from an auditor."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.OFFICER
PAGES = ()
FORMS = ()
_EVENTS = "shows audit events to an officer, from whom none is hidden, and no document"
_DECLARATIONS = "shows and changes whose declarations count, in no patient's space"
NO_SPACE = {
    "portal.queue": _EVENTS,
    "portal.review": _EVENTS,
    "portal.decide_review": _EVENTS,
    "portal.case": _EVENTS,
    "portal.decide_case": _EVENTS,
    "portal.trail": _EVENTS,
    "portal.trail_of_patient": _EVENTS,
    "portal.trail_file": _EVENTS,
    "portal.matrix_versions": "shows the matrix, which is public",
    "portal.suspensions": _DECLARATIONS,
    "portal.suspend": _DECLARATIONS,
    "portal.resume": _DECLARATIONS,
}
