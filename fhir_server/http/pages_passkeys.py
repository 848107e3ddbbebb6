"""A person's passkeys: see, add, remove. The only pages with a script, and that a file of ours.

Source: W3C Web Authentication Level 3; OWASP ASVS 5.0, 6.4 (changing factors needs the factors that there are).
"""

from flask import Response, request

from fhir_server.http.oauth_frame import (
    SCRIPTED,
    current_session,
    gone,
    is_same,
    may_change_factors,
    oauth_pages,
    page,
    see_other,
    too_weak,
)
from fhir_server.http.request_context import runtime
from fhir_server.oauth import passkeys
from fhir_server.oauth.sessions import Session


@oauth_pages.get("/account/passkeys")
def own_passkeys() -> Response:
    """Show a person's passkeys, and what the browser needs to make one."""
    session = current_session()
    if session is None:
        return see_other("/login")
    return _shown(session, 200)


@oauth_pages.post("/account/passkeys")
def add_passkey() -> Response:
    """Add the passkey that the browser has made."""
    session = current_session()
    if session is None or not is_same(session.csrf):
        return gone()
    if not may_change_factors(session):
        return too_weak()
    sent, name = request.form.get("credential", ""), request.form.get("name", "")
    is_added = passkeys.register(runtime(), session.account, session.id, sent, name)
    return see_other("/account/passkeys") if is_added else _shown(session, 422)


@oauth_pages.post("/account/passkeys/<id_>/remove")
def remove_passkey(id_: str) -> Response:
    """Take one passkey away."""
    session = current_session()
    if session is None or not is_same(session.csrf):
        return gone()
    if not may_change_factors(session):
        return too_weak()
    passkeys.remove(runtime(), session.account, id_)
    return see_other("/account/passkeys")


def _shown(session: Session, status: int) -> Response:
    may_change = may_change_factors(session)
    options = passkeys.creation_options(runtime(), session.account, session.id) if may_change else ""
    known = passkeys.of(runtime(), session.account)
    complaint = "wrong" if status != 200 else ""  # noqa: PLR2004 - a status
    response = page("passkeys", status, session=session, passkeys=known, options=options, complaint=complaint)
    response.headers["Content-Security-Policy"] = SCRIPTED
    return response
