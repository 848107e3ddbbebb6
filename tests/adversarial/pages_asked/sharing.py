"""The pages with which a patient shares with one professional, and sees what is shared."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.PATIENT
_HERE = "/account/spaces/{space}"
PAGES = (f"{_HERE}/sharing", f"{_HERE}/check-up")
FORMS = (
    (f"{_HERE}/sharing", {"what": "chosen", "document": "{%s}", "who": "anybody", "minutes": "15"}),
    (f"{_HERE}/sharing", {"what": "chosen", "who": "one", "name": "dora", "minutes": "15"}),
    (f"{_HERE}/sharing/cancel", {}),
)
NO_SPACE: dict[str, str] = {}
