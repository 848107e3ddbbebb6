"""The pages about people: the directory, carers, legal representatives, and the code of an invitation."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.PATIENT
_HERE = "/account/spaces/{space}"
PAGES = (
    f"{_HERE}/people",
    f"{_HERE}/people/directory?name=martin",
    f"{_HERE}/carers",
    f"{_HERE}/guardians",
    f"{_HERE}/documents/{{%s}}/for-me",
)
FORMS = (
    (f"{_HERE}/documents/{{%s}}/for-me", {}),
    (f"{_HERE}/people/block", {"actor": "Organization/{chu}"}),
    (f"{_HERE}/people/physician", {"actor": "Practitioner/{haddad}"}),
    (f"{_HERE}/people/{{unknown}}/end", {}),
    (f"{_HERE}/carers", {"name": "Rose", "until": "2026-05-01"}),
)
NO_SPACE = {
    "portal.invitation": "asks for a code and names no space",
    "portal.join": "tests/pages/test_family_carers.py: a code that lets nobody in gets one answer",
}
