"""The apps that act in a space for the person who is signed in: what each may do, when it last did, and its end.

It is served during a lockdown too, because it asks for nothing of the space: a person can always end an app.
Source: rule I7; docs/smart.md; docs/portal.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Response, abort, make_response, render_template, request

from fhir_server.application.identity.clients import find as find_client
from fhir_server.application.identity.grants import Grant, find_grant
from fhir_server.domain.values import GrantId
from fhir_server.http.oauth.endpoints import context
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.language import Catalogue
from fhir_server.http.pages.sign_in.account import cards_of
from fhir_server.http.pages.sign_in.scope_words import ScopeInWords
from fhir_server.http.request_context import runtime
from fhir_server.oauth.granted import tokens

_WORDS = Catalogue(domain="oauth")


@dataclass(frozen=True, slots=True)
class AppInWords:
    """One authorization of an app. grant: its id. lasts: whether the app goes on when the person is away.

    used_at: when the app last got a token, None when it never did. left_out: how many documents and kinds of
    documents the person keeps from it.
    """

    grant: str
    name: str
    is_unverified: bool
    may: tuple[ScopeInWords, ...]
    lasts: bool
    since: datetime
    used_at: datetime | None
    until: datetime | None
    left_out: tuple[int, int]


@page(Role.PATIENT, "/apps", "", None)
def apps(visit: Visit) -> Response:
    """Show every app that may act for the person in this space."""
    shown = sorted(_apps(visit), key=lambda one: one.name.lower())
    ended = request.args.get("ended", "")[:100]
    told = {"apps": shown, "ended": ended, "oauth_text": _WORDS.gettext}
    return make_response(render_template("portal/space/apps.html", visit=visit, **told))


@form(Role.PATIENT, "/apps/<uuid:id_>/end", "", None)
def end_app(visit: Visit, id_: UUID) -> Response:
    """End one authorization; the next request of the app is refused."""
    grant = find_grant(runtime(), GrantId(str(id_)))
    if grant is None or grant.subject != visit.session.account.subject or not _is_here(grant, visit):
        abort(404)
    tokens.cut_app(context(), grant, "ended-by-person")
    return back_to(visit.address("apps", ended="yes"))


def _apps(visit: Visit) -> Iterator[AppInWords]:
    for granted in cards_of(visit.session.account.subject).values():
        for grant, may in granted:
            if _is_here(grant, visit):
                yield _told(grant, may)


def _is_here(grant: Grant, visit: Visit) -> bool:
    """Tell whether an authorization is for the space in view, or for no single space."""
    return grant.launch_patient in (None, "", visit.patient)


def _told(grant: Grant, may: tuple[ScopeInWords, ...]) -> AppInWords:
    client = find_client(runtime(), grant.client_id)
    lasting = "offline_access" in grant.scopes.split()
    left_out = len(grant.withheld.families), len(grant.withheld.kinds)
    return AppInWords(
        grant.id,
        grant.client_name,
        bool(client and client.is_self_registered),
        may,
        lasting,
        grant.granted_at,
        grant.used_at,
        grant.expires,
        left_out,
    )
