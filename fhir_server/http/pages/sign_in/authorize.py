"""The authorization server's pages on the way to a grant: sign in, choose, consent.

Sources: RFC 6749 3.1, RFC 9700 4.7, 4.12 and 4.16.
"""

from flask import Response, request

from fhir_server import telemetry
from fhir_server.application.identity.accounts import find_account
from fhir_server.domain.values import Json
from fhir_server.http.cookies import cookie, set_cookie
from fhir_server.http.oauth.endpoints import context, respond
from fhir_server.http.pages import language
from fhir_server.http.pages.sign_in import consent, upstream
from fhir_server.http.pages.sign_in.frame import gone, is_same, oauth_pages, page, second_factor_page, see_other
from fhir_server.http.request_context import runtime
from fhir_server.oauth.authorize import approval, authorization, conversation, interactions
from fhir_server.oauth.authorize.authorization import AuthorizationRequest, BadRequestError, Refusal
from fhir_server.oauth.authorize.interactions import LiveState, PendingAuthorization
from fhir_server.oauth.base import page_state
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.granted import redirects
from fhir_server.ports.store import StoreUnavailable


@oauth_pages.route("/oauth/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Check an app's whole request, and begin a conversation."""
    known = context()
    browser = cookie("browser") or ("" if request.method == "POST" else page_state.new_browser(runtime()))
    try:
        asked = authorization.read(known)
        return _begin(known, asked, browser)
    except BadRequestError as bad:
        return page("message", 400, title="This request cannot be answered", text=bad.text)
    except Refusal as refusal:
        return respond(authorization.refused(known, refusal))


def _begin(known: Context, asked: AuthorizationRequest, browser: str) -> Response:
    """Begin a conversation, or answer at once when the app forbids asking the person anything.

    Raises: Refusal, also when the store cannot answer: the client is known by now, and gets an answer.
    """
    try:
        begun = conversation.with_session(known, interactions.begin(known, asked, browser), cookie("session"))
        if asked.prompt == "none" and browser and not begun.login:
            raise Refusal(asked, "login_required")
        interactions.keep(known, begun)
        if asked.prompt == "none" and browser:
            return respond(approval.silent(known, begun))
    except StoreUnavailable:
        raise _unavailable(asked) from None
    response = see_other(f"/oauth/interaction/{begun.id}")
    if browser:
        set_cookie(response, "browser", browser)
    return response


def _unavailable(asked: AuthorizationRequest) -> Refusal:
    telemetry.alarm("store_unavailable")
    return Refusal(asked, "temporarily_unavailable")


@oauth_pages.route("/oauth/interaction/<id_>", methods=["GET", "POST"])
def interaction(id_: str) -> Response:
    """Show the next step of a conversation, or take the answer to it."""
    held = interactions.load(runtime(), id_, cookie("browser"))
    if held is None:
        return _bind(id_)
    language.ask(held.asked.ui_locales)
    try:
        return _answer(held)
    except Refusal as refusal:
        interactions.finish(runtime(), held)
        return respond(authorization.refused(context(), refusal))
    except StoreUnavailable:
        return respond(authorization.refused(context(), _unavailable(held.asked)))


def _bind(id_: str) -> Response:
    """Bind a conversation that began with a form of another site to the browser that follows the redirect.

    Such a form brings no cookie of ours, and a new cookie would end what the browser is doing in another tab.
    """
    browser = cookie("browser") or page_state.new_browser(runtime())
    free = interactions.load_unbound(runtime(), id_) if request.method == "GET" else None
    if free is None:
        return gone()
    bound = conversation.with_session(context(), interactions.bind(free, browser), cookie("session"))
    if not interactions.save(runtime(), bound):
        return gone()
    try:
        answer = respond(approval.silent(context(), bound)) if bound.asked.prompt == "none" else see_other(request.path)
    except Refusal as refusal:
        interactions.finish(runtime(), bound)
        answer = respond(authorization.refused(context(), refusal))
    set_cookie(answer, "browser", browser)
    return answer


def _answer(held: PendingAuthorization) -> Response:
    live = interactions.look_up(runtime(), held)
    step, settled = conversation.next_step(runtime(), held, live)
    if request.method == "GET":
        return _show(settled, live, step)
    if is_same(held.csrf) and request.form.get("decision") == "cancel":
        approval.turn_away(context(), settled, live.account)
    if not is_same(held.csrf) or request.form.get("step") != step:
        return gone()
    return consent.decide(settled, live) if step == "consent" else _take(settled, live, step)


def _take(held: PendingAuthorization, live: LiveState, step: str) -> Response:
    turn = conversation.answer(context(), held, step, request.form)
    if turn.complaint:
        return _show(held, live, step, complaint=turn.complaint)
    if not interactions.save(runtime(), turn.interaction):
        return gone()
    response = see_other(f"/oauth/interaction/{held.id}")
    if turn.cookie:
        set_cookie(response, "session", turn.cookie)
    return response


def _show(held: PendingAuthorization, live: LiveState, step: str, complaint: str = "") -> Response:
    if step == "consent":
        return consent.show(held, live)
    client, account = live.client, live.account
    shown: Json = {"held": held, "step": step, "client": client, "account": account, "complaint": complaint}
    if step == "second-factor":
        waiting = find_account(runtime(), held.pending)
        response = second_factor_page(200 if not complaint else 422, waiting, held.id, **shown)
        return consent.may_return(response, held)
    if step == "login":
        shown |= {"providers": upstream.offered(client), "goes_to": redirects.shown(held.asked.redirect_uri)}
    if step == "capacity" and account and client:
        shown["choices"] = interactions.capacities(account, client)
    if step == "patient" and account:
        shown["choices"] = interactions.patients_of(account) if held.capacity == interactions.SELF else {}
    if step == "emergency":
        shown |= {"reasons": conversation.REASONS, "proposed": approval.emergency_reason(held)}
    response = page(step.replace("-", "_"), 200 if not complaint else 422, **shown)
    return consent.may_return(response, held)
