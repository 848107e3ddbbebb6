"""A person's passkeys: see, add, remove. No other page uses a script, and this script is a file of this server.

Source: W3C Web Authentication Level 3; OWASP ASVS 5.0, 6.4 (changing factors needs the factors that there are).
"""

from flask import Response, request

from fhir_server.http.pages.sign_in.factors import owner, sender, way_to
from fhir_server.http.pages.sign_in.frame import SCRIPTED, gone, oauth_pages, page, see_other, too_weak
from fhir_server.http.request_context import runtime
from fhir_server.oauth.login import factors, passkeys
from fhir_server.oauth.login.factors import Owner


@oauth_pages.get("/account/passkeys")
def own_passkeys() -> Response:
    """Show a person's passkeys, and give the browser what it needs to make one."""
    found = owner()
    return _shown(found, 200) if found else see_other("/login")


@oauth_pages.post("/account/passkeys")
def add_passkey() -> Response:
    """Add the passkey that the browser made."""
    found = sender()
    if found is None:
        return gone()
    if not factors.may_change(found):
        return too_weak()
    is_added = factors.add_passkey(found, request.form.get("credential", ""), request.form.get("name", ""))
    return see_other("/account/passkeys") if is_added else _shown(found, 422)


@oauth_pages.post("/account/passkeys/<id_>/remove")
def remove_passkey(id_: str) -> Response:
    """Remove one passkey."""
    found = sender()
    if found is None:
        return gone()
    if not factors.may_change(found):
        return too_weak()
    factors.remove_passkey(found, id_)
    return see_other("/account/passkeys")


def _shown(found: Owner, status: int) -> Response:
    may_change = factors.may_change(found)
    session, account = found.session, found.account
    options = passkeys.creation_options(runtime(), account, session.id) if may_change else ""
    response = page(
        "passkeys", status, session=session, passkeys=passkeys.of(runtime(), account), options=options,
        complaint="wrong" if status != 200 else "", way=way_to(found, "passkeys"),  # noqa: PLR2004 - a status
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = SCRIPTED
    return response
