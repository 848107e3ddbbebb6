"""The pages of the operator: none reads a resource."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.OPERATOR
PAGES = ()
FORMS = ()
_SERVER = "shows or changes the server itself; tests/pages/test_operator_pages.py looks for patients' data"
NO_SPACE = dict.fromkeys(
    (
        "portal.state",
        "portal.begin_lockdown",
        "portal.end_lockdown",
        "portal.tasks",
        "portal.retry_task",
        "portal.drop_task",
        "portal.installation",
    ),
    _SERVER,
)
