"""A person's own page about mails: the address, which notices are mailed, and when.

A new address needs what a change of a factor needs: a second factor shown in the last minutes, else the password.
Other times for the mails that warn of emergencies, of a new password and of new factors need the same: otherwise a
stolen session could silence these mails.
Source: OWASP ASVS 5.0, 7.5; docs/adr/0079.
"""

from flask import Response, request

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity import accounts
from fhir_server.application.notices import addresses, choices
from fhir_server.application.notices.addresses import Asked
from fhir_server.application.notices.choices import ALWAYS_TOLD, Timing, Wanted
from fhir_server.domain.caller import SERVER
from fhir_server.domain.events import sentences
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.http.pages.language import current_language
from fhir_server.http.pages.sign_in.factors import owner, sender, way_to
from fhir_server.http.pages.sign_in.frame import gone, oauth_pages, page, see_other, too_weak
from fhir_server.http.request_context import runtime
from fhir_server.oauth.base import events
from fhir_server.oauth.login import factors, sign_in
from fhir_server.oauth.login.factors import Owner

_PATH = "/account/notices"
_OF_PHYSICIANS = (NoticeKind.BREAK_GLASS, NoticeKind.REGULATION)
"""The kinds of which a declared physician is told."""


@oauth_pages.get(_PATH)
def notices() -> Response:
    """Show where mails go, and what the person chose."""
    found = owner()
    return _shown(found, 200) if found else see_other("/login")


@oauth_pages.post(f"{_PATH}/address")
def change_address() -> Response:
    """Send a code to a new address, or forget the address."""
    found = sender()
    if found is None or not runtime().sends_mail:
        return gone()
    refusal = _refusal(found)
    if refusal:
        return refusal
    caller = events.person(found.context, found.account)
    if request.form.get("act") == "remove":
        addresses.remove(runtime(), caller, found.account)
        return see_other(_PATH)
    asked = addresses.ask(runtime(), caller, found.account, request.form.get("address", ""), current_language())
    return see_other(_PATH) if asked is Asked.SENT else _shown(found, _STATUS[asked], asked.name.lower())


_STATUS = {Asked.WRONG: 422, Asked.TOO_MANY: 429}


def _refusal(found: Owner) -> Response | None:
    """Return what keeps the person from changing the address or the warnings now, None when nothing does.

    Raises: TooManyFailuresError.
    """
    if factors.may_change(found):
        return None
    if factors.has_second(found):
        return see_other(way_to(found, "notices"))
    if not accounts.has_password(runtime(), found.account):
        return too_weak()
    password = request.form.get("password", "")
    is_right = sign_in.log_in(found.context, found.account.login, password, SERVER) is not None
    return None if is_right else _shown(found, 422, "password")


@oauth_pages.post(f"{_PATH}/code")
def confirm_address() -> Response:
    """Use a new address once its code was typed."""
    found = sender()
    if found is None:
        return gone()
    caller = events.person(found.context, found.account)
    is_right = addresses.confirm(runtime(), caller, found.account, request.form.get("code", ""))
    return see_other(_PATH) if is_right else _shown(found, 422, "code")


@oauth_pages.post(_PATH)
def choose() -> Response:
    """Take the choices of the form."""
    found = sender()
    wanted = _wanted(found) if found else None
    if found is None or wanted is None:
        return gone()
    refusal = _refusal(found) if wanted.moves_warnings(choices.of_account(runtime(), found.account)) else None
    if refusal:
        return refusal
    choices.choose(runtime(), events.person(found.context, found.account), found.account, wanted)
    return see_other(_PATH)


def _wanted(found: Owner) -> Wanted | None:
    """Return the choices of the form, None when it has values that this page does not offer."""
    form = request.form
    try:
        wanted = Wanted(
            language=form.get("language", ""),
            timings={kind.value: Timing(form.get(kind.value, "")) for kind in _kinds(found)},
            digest_hour=int(form.get("digest", "")),
            silent_from=_hour(form.get("silent-from", "")),
            silent_until=_hour(form.get("silent-until", "")),
            urgent_in_silence=form.get("urgent") == "yes",
        )
    except ValueError:
        return None
    return wanted if wanted.is_valid else None


def _hour(text: str) -> int | None:
    return int(text) if text else None


def _kinds(found: Owner) -> tuple[NoticeKind, ...]:
    return _OF_PHYSICIANS if found.account.kind is RequesterKind.PROFESSIONAL else tuple(NoticeKind)


def _shown(found: Owner, status: int, complaint: str = "") -> Response:
    account, language = found.account, current_language()
    labels = {kind: sentences.notice_label(kind, language) for kind in _kinds(found)}
    has_password = accounts.has_password(runtime(), account) and not factors.has_second(found)
    return page(
        "notices", status, session=found.session, complaint=complaint, chosen=choices.of_account(runtime(), account),
        waiting=addresses.waiting_for_code(runtime(), account.subject), labels=labels, always=ALWAYS_TOLD,
        timings=tuple(Timing), asks_password=has_password and not factors.may_change(found),
        sends=runtime().sends_mail,
    )  # fmt: skip
