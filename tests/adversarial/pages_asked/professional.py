"""The pages of professionals: in care, in an emergency, and the declaration of one.

`{situation}` stands for the practice situation of the reader, who has opened the space in an emergency before.
"""

from fhir_server.http.pages.frame.roles import Role
from tests.adversarial.pages_asked.model import Asked

ROLE = Role.PROFESSIONAL
_DESK = "/account/desk/{situation}"
_CARE, _EMERGENCY = f"{_DESK}/patients/{{space}}", f"{_DESK}/emergencies/{{space}}"
_DECLARED = {"reason": "unconscious", "words": "found at home", "confirmed": "yes", "patient": "{space}"}
EMERGENCY = Asked(ROLE, f"{_DESK}/openings/emergency", _DECLARED)
PAGES = (
    f"{_DESK}/patients",
    f"{_DESK}/code",
    f"{_DESK}/openings/emergency",
    _CARE,
    f"{_CARE}/deposit",
    f"{_CARE}/accesses",
    f"{_CARE}/team",
    *(
        f"{room}{page}"
        for room in (_CARE, _EMERGENCY)
        for page in (
            "/documents",
            "/documents?class=10&from=2020-01-01&words=cr",
            "/documents/{plain}",
            "/documents/{%s}",
            "/contents/{content}",
            "/contents/{%s-content}",
            "/contents/{content}/file",
            "/contents/{%s-content}/file",
        )
    ),
)
FORMS = (
    (f"{_DESK}/patients", {"number": "284039999900148"}),
    (f"{_DESK}/code", {"code": "AAAA-AAAA-AAAA"}),
    (_CARE, {"whom": "me", "how": "oral", "agreed": "yes"}),
    (f"{_DESK}/openings/emergency", _DECLARED),
    (f"{_CARE}/deposit", {"key": "00000000-0000-4000-8000-00000000000a", "title": "x"}),
    (f"{_CARE}/documents/{{%s}}/announce", {}),
    (f"{_EMERGENCY}/end", {}),
)
NO_SPACE: dict[str, str] = {}
