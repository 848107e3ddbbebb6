"""Software that acts without a browser: for itself, or for a professional for whom its establishment vouches.

Sources: SMART Backend Services (https://hl7.org/fhir/smart-app-launch/backend-services.html); HL7 UDAP Security,
`hl7-b2b` extension object; RFC 8693 token exchange; the ANS rule on indirect authentication.
"""

from collections.abc import Mapping
from dataclasses import replace

from authlib.oauth2.rfc6749 import (
    BaseGrant,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    TokenEndpointMixin,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749 import grants as authlib_grants

from consent_rules.vocabulary import Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory.professionals import situations_of
from fhir_server.application.identity import access_tokens, grants
from fhir_server.application.identity.access_tokens import AccessToken
from fhir_server.application.identity.accounts import Account, Grantee, PractitionerRoleRef, find_by_national_id
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.grants import Grant
from fhir_server.domain.values import GrantId, Json
from fhir_server.oauth.base.issuer import TOKEN_EXCHANGE, issuer_of
from fhir_server.oauth.base.wire import Request
from fhir_server.oauth.granted import narrowing, tokens
from fhir_server.oauth.resource.possession import holder_of
from fhir_server.oauth.token import european
from fhir_server.oauth.token.client_authentication import METHODS

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name of RFC 8693


class BackendGrant(authlib_grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    """client_credentials: system/ scopes for the software itself, user/ scopes for a named professional."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_requested_scope(self) -> None:
        """Limit the request to the registration, and find out for whom the software acts."""
        asked = self.request.payload.scope
        if not asked:
            raise InvalidScopeError("scope is missing")
        client = self.request.client.client
        if client.european:
            asked = european.in_letters(asked)
        b2b = b2b_of(self.request)
        account, practice = vouched(self.request, b2b) if b2b else (None, None)
        self.party = Grantee(client, account, practice, vouched=account is not None and not client.shows_logins)
        self.purpose = purpose_of(b2b) if b2b else None
        if client.european and account:
            asked = european.for_named_person(asked)
        self.scopes = narrowing.for_backend(self.request.context.runtime, asked, self.party)
        if not self.scopes:
            raise InvalidScopeError(f"none of these scopes may be granted; this client may ask for: {client.scopes}")

    def generate_token(self, **_: object) -> Json:
        """Issue one short-lived access token, without a refresh token."""
        unread = narrowing.unreadable(self.request.payload.scope)
        told = {"__scopes_not_understood": list(unread)} if unread else {}
        drafted = grants.draft_grant(self.request.context.runtime, self.party, self.scopes, self.purpose)
        by_software = self.party.account is not None
        return _issue(self.request, replace(drafted, by_software=by_software)) | told

    def save_token(self, token: Json) -> None:
        """Do nothing: the token is stored where it is made."""

    def create_token_response(self) -> tuple[int, Json, list[tuple[str, str]]]:
        """Answer without logging the token."""
        return 200, self.generate_token(), self.TOKEN_RESPONSE_HEADER


def _issue(request: Request, drafted: Grant) -> Json:
    runtime = request.context.runtime
    holder = holder_of(request)
    grant = replace(drafted, expires=runtime.ports.clock.now() + access_tokens.BACKEND_LIFETIME)
    grants.store_grant(runtime, grant)
    return tokens.respond(request.context, grant, "", holder, renewable=False)


def b2b_of(request: Request) -> Json | None:
    """Return whom the client's assertion names: its `hl7-b2b` object, or its IUA claims as such an object.

    Raises: InvalidGrantError when both are there, because they may name two people.
    """
    extensions = request.assertion_claims.get("extensions")
    if not isinstance(extensions, dict):
        return None
    found = extensions.get("hl7-b2b")
    by_iua = european.named_by_iua(extensions) if request.client.client.european else None
    if by_iua and found is not None:
        raise InvalidGrantError("name the professional by hl7-b2b or by IUA claims, not by both")
    return by_iua or (found if isinstance(found, dict) else None)


def purpose_of(b2b: Json) -> Purpose:
    """Return the stated purpose, which must be treatment: for an emergency, the professional signs in here.

    Raises: InvalidGrantError for any other purpose.
    """
    stated = b2b.get("purpose_of_use", [Purpose.TREATMENT])
    codes = {str(item).rpartition("#")[2] for item in stated} if isinstance(stated, list) else set()
    if codes != {Purpose.TREATMENT}:
        raise InvalidGrantError("purpose_of_use must be TREAT for software")
    return Purpose.TREATMENT


def vouched(request: Request, b2b: Json) -> tuple[Account, PractitionerRoleRef]:
    """Return the professional whom an establishment names: one who practises there, as the directory says now.

    Raises: InvalidGrantError, the same for an unknown person and for a person who practises elsewhere.
    """
    client = request.client.client
    runtime = request.context.runtime
    account = find_by_national_id(runtime, str(b2b.get("subject_id", "")))
    practices = situations_of(runtime, account) if account and client.organization else ()
    practice = next((item for item in practices if item.organization == client.organization), None)
    if b2b.get("version") != "1" or account is None or practice is None:
        raise InvalidGrantError("the establishment cannot vouch for this person")
    return account, practice


class ExchangeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """token exchange: an establishment's software continues with the access token of its own professional."""

    GRANT_TYPE = TOKEN_EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Check the subject token: valid, of a professional of the same establishment, not bound to a key."""
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("this client may not exchange tokens")
        self.request.client = client
        form = self.request.form
        _check_target(self.request.context.runtime, form)
        if form.get("subject_token_type") != _ACCESS_TOKEN or not form.get("subject_token"):
            raise InvalidRequestError("subject_token of type access_token is needed")
        access = access_tokens.find_access(self.request.context.runtime, form["subject_token"])
        organization = client.client.organization
        if access is None or access.jkt or access.x5t:
            raise InvalidGrantError("the subject token cannot be exchanged")
        if not organization or access.grant.requester.organization != organization:
            raise InvalidGrantError("the subject token cannot be exchanged")
        self.access = access

    def create_token_response(self) -> tuple[int, Json, list[tuple[str, str]]]:
        """Issue a token whose grant derives from the subject's grant: it permits no more, and ends with it."""
        subject, client = self.access, self.request.client.client
        asked = self.request.payload.scope or subject.scopes
        scopes = str(narrowing.meet(str(narrowing.meet(asked, subject.scopes)), client.scopes))
        if not scopes:
            raise InvalidScopeError("none of these scopes may be exchanged")
        grant = _exchanged(self.request.context.runtime, subject, client, scopes)
        grants.store_grant(self.request.context.runtime, grant)
        body = tokens.respond(self.request.context, grant, scopes, holder_of(self.request), renewable=False)
        return 200, body | {"issued_token_type": _ACCESS_TOKEN}, self.TOKEN_RESPONSE_HEADER


def _exchanged(runtime: Runtime, subject: AccessToken, client: Client, scopes: str) -> Grant:
    """Return the grant for the exchanging client: the person stays the same, the client becomes the actor."""
    known = subject.grant
    return replace(
        known,
        id=GrantId(runtime.ports.ids.new()),
        client_id=client.id,
        client_name=client.name,
        requester=replace(known.requester, client=client.device),
        scopes=scopes,
        granted_at=runtime.ports.clock.now(),
        expires=subject.expires,
        used_at=None,
        ancestors=(*known.ancestors, known.id),
        actors=(*known.actors, known.client_id) if known.ancestors else (),
    )


def _check_target(runtime: Runtime, form: Mapping[str, str]) -> None:
    """Refuse a request for a token of another kind or for another server.

    Source: RFC 8693 2.1.
    Raises: OAuth2Error.
    """
    ours = {runtime.fhir_base, issuer_of(runtime)}
    for name in ("audience", "resource"):
        if form.get(name, runtime.fhir_base).rstrip("/") not in ours:
            raise OAuth2Error(f"{name} must be {runtime.fhir_base}", error="invalid_target")
    if form.get("requested_token_type", _ACCESS_TOKEN) != _ACCESS_TOKEN:
        raise InvalidRequestError(f"requested_token_type must be {_ACCESS_TOKEN}")
    if "actor_token" in form or "actor_token_type" in form:
        raise InvalidRequestError("leave actor_token out: the client that authenticates is the actor")
