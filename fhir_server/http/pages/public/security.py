"""Where to report a weakness: `/security` for people and `/.well-known/security.txt` for programs.

Without a contact, or after the day until which it is known to be right, the file is not there: a wrong address would be
worse than none.
Source: RFC 9116, clauses 2.5 and 3; docs/configuration.md (HABILIS_SECURITY_CONTACT).
"""

from flask import Response, abort, current_app, make_response, render_template

from fhir_server.http.pages.base import site
from fhir_server.http.request_context import runtime
from fhir_server.oauth.base import issuer
from fhir_server.settings.security import SecurityContact

SETTING = "SECURITY"
"""Where the contact stands in the configuration of the application; None for none."""
PATH = "/.well-known/security.txt"
_KEPT_SECONDS = 3600


@site.get(PATH)
def security_txt() -> Response:
    """Answer the file of RFC 9116."""
    contact = _contact()
    if contact is None:
        abort(404)
    here = issuer.issuer_of(runtime())
    lines = (
        f"Contact: {contact.contact}",
        f"Expires: {contact.until.isoformat(timespec='seconds').replace('+00:00', 'Z')}",
        "Preferred-Languages: fr, en",
        f"Canonical: {here}{PATH}",
        f"Policy: {here}/security",
    )
    response = Response("\n".join((*lines, "")), content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={_KEPT_SECONDS}"
    return response


@site.get("/security")
def security() -> Response:
    """Say whom to tell of a weakness, and how."""
    return make_response(render_template("pages/security.html", contact=_contact()))


def _contact() -> SecurityContact | None:
    """Return the contact that is known to be right today."""
    found: SecurityContact | None = current_app.config.get(SETTING)
    return found if found and found.until > runtime().now() else None
