"""The pages about documents and the journal of a space."""

from fhir_server.http.pages.frame.roles import Role

ROLE = Role.PATIENT
_HERE = "/account/spaces/{space}"
PAGES = (
    f"{_HERE}/documents",
    f"{_HERE}/documents?class=10&hidden=1&from=2020-01-01&words=cr",
    f"{_HERE}/documents/{{plain}}",
    f"{_HERE}/documents/{{%s}}",
    f"{_HERE}/documents/{{plain}}/audience",
    f"{_HERE}/documents/{{%s}}/audience",
    f"{_HERE}/contents/{{content}}",
    f"{_HERE}/contents/{{%s-content}}",
    f"{_HERE}/contents/{{%s-content}}/file",
    f"{_HERE}/own-documents",
    f"{_HERE}/own-documents/{{%s}}/replacement",
    "/journal?person={space}&own=1",
)
FORMS = (
    (f"{_HERE}/documents/{{%s}}/hide", {}),
    (f"{_HERE}/documents/{{%s}}/show", {}),
    (f"{_HERE}/documents/{{plain}}/hide", {}),
    (f"{_HERE}/documents/{{plain}}/show", {}),
    (f"{_HERE}/documents/{{%s}}/keep", {"actor": "Organization/{chu}"}),
    (f"{_HERE}/documents/{{%s}}/only", {"actor": "Organization/{chu}"}),
    (f"{_HERE}/documents/{{plain}}/kept/{{unknown}}/end", {}),
    (f"{_HERE}/own-documents", {"title": "x"}),
    (f"{_HERE}/own-documents/{{%s}}/replacement", {"title": "x"}),
    (f"{_HERE}/own-documents/{{%s}}/withdraw", {}),
)
NO_SPACE = {"portal.start": "leads to the first page of a role"}
