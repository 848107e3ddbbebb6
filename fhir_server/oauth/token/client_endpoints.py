"""Introspection, revocation, pushed requests, userinfo and launches: all endpoints of clients but authorize and token.

Sources: RFC 7662, RFC 7009, RFC 9126, OpenID Connect Core 5.3, IHE IUA 2.3, SMART App Launch 2.2.
"""

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError, OAuth2Error

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import PatientId
from fhir_server.application.identity import access_tokens, grants
from fhir_server.application.identity.access_tokens import AccessToken
from fhir_server.application.identity.clients import Client, find
from fhir_server.application.identity.grants import Grant
from fhir_server.domain.search.tokens import PROFESSION_SYSTEM
from fhir_server.domain.values import ClientId, Json
from fhir_server.oauth.authorize import authorization
from fhir_server.oauth.base import events
from fhir_server.oauth.base.issuer import issuer_of
from fhir_server.oauth.base.wire import NO_STORE, Answer, Context, parameters_of
from fhir_server.oauth.granted.launches import Launch, create_launch, has_space
from fhir_server.oauth.granted.records import find_refresh
from fhir_server.oauth.granted.tokens import context_of, cut_app
from fhir_server.oauth.resource import dpop
from fhir_server.oauth.resource.bearer import is_held, shows_certificate
from fhir_server.oauth.token.id_token import user_claims
from fhir_server.oauth.token.token_endpoint import authenticate, error_answer

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_UNAUTHORIZED = {"WWW-Authenticate": 'Bearer realm="habilis", error="invalid_token"'}


def introspect(context: Context) -> Answer:
    """Describe a token to an allowed client; any other token is only "inactive"."""
    try:
        params = parameters_of(context.received)
        asker = _introspector(context, params)
        if "token" not in params:
            raise InvalidRequestError("token is missing")
    except OAuth2Error as error:
        return error_answer(error, context)
    access = access_tokens.find_access(context.runtime, params["token"]) if params["token"].isascii() else None
    if access is None or not _may_see(asker, access):
        return Answer(200, {"active": False}, dict(NO_STORE))
    return Answer(200, describe(context, access), dict(NO_STORE))


def _introspector(context: Context, params: dict[str, str]) -> Client:
    """Authenticate the asking client: by a token of a client that may introspect, or as at the token endpoint."""
    header = context.received.headers.get("Authorization", "")
    if header.lower().startswith("bearer "):
        access = access_tokens.find_access(context.runtime, header[7:].strip()) if header.isascii() else None
        is_bearer = access is not None and not access.jkt and shows_certificate(access, context.received.certificate)
        asker = find(context.runtime, access.grant.client_id) if access and is_bearer else None
    else:
        authenticate(context, params, "introspection")
        asker = context.client
    if asker is None or not asker.introspects:
        raise InvalidClientError(description="this client may not introspect", status_code=401)
    return asker


def _may_see(asker: Client, access: AccessToken) -> bool:
    return asker.introspects and access.expires > access.issued


def describe(context: Context, access: AccessToken) -> Json:
    """Return the introspection answer for a live token, with SMART and IUA members."""
    grant = access.grant
    body: Json = {
        "active": True,
        "scope": access.scopes,
        "client_id": grant.client_id,
        "token_type": "DPoP" if access.jkt else "Bearer",
        "exp": int(access.expires.timestamp()),
        "iat": int(access.issued.timestamp()),
        "iss": issuer_of(context.runtime),
        "aud": grant.audience,
        "jti": access.token_id,
    }
    confirmed = {"jkt": access.jkt, "x5t#S256": access.x5t}
    if any(confirmed.values()):
        body["cnf"] = {name: value for name, value in confirmed.items() if value}
    if grant.ancestors:
        body["act"] = _actors(grant)
    if grant.login:
        body |= user_claims(context, grant, access.scopes) | _login(grant)
    body["extensions"] = {"ihe_iua": _iua(grant)}
    return body | context_of(grant)


def _actors(grant: Grant) -> Json:
    """Return who acts with an exchanged token, with the previous actor nested inside (RFC 8693 4.1)."""
    act: Json = {}
    for client_id in (*grant.actors, grant.client_id):
        act = {"sub": client_id} | ({"act": act} if act else {})
    return act


def _login(grant: Grant) -> Json:
    found: Json = {}
    if grant.proof.acr:
        found["acr"] = grant.proof.acr
    if grant.proof.at:
        found["auth_time"] = int(grant.proof.at.timestamp())
    return found


def _iua(grant: Grant) -> Json:
    """Return the IUA claims; they show the purpose of an emergency."""
    requester = grant.requester
    claims: Json = {
        "subject_name": grant.display,
        "subject_organization": grant.organization_display,
        "subject_organization_id": requester.organization,
        "person_id": grant.launch_patient,
        "purpose_of_use": [{"system": ACT_REASON, "code": grant.purpose}],
    }
    if requester.profession:
        claims["subject_role"] = [{"system": PROFESSION_SYSTEM, "code": requester.profession}]
    return {name: value for name, value in claims.items() if value}


def revoke(context: Context) -> Answer:
    """End a token, or the whole grant if it is a refresh token; ignore tokens of other clients (RFC 7009 2.2)."""
    try:
        params = parameters_of(context.received)
        authenticate(context, params, "revocation")
        if "token" not in params:
            raise InvalidRequestError("token is missing")
    except OAuth2Error as error:
        return error_answer(error, context)
    token = params["token"]
    if token.isascii() and context.client:
        _revoke(context, context.client, token)
    return Answer(200, {}, dict(NO_STORE))


def _revoke(context: Context, client: Client, token: str) -> None:
    runtime = context.runtime
    access = access_tokens.find_access(runtime, token)
    if access is not None and access.grant.client_id == client.id:
        runtime.ports.vault.drop(access_tokens.ACCESS, token)
        events.grant_ended(context, access.grant, "access-token-revoked")
        return
    refresh = find_refresh(runtime, token, runtime.ports.clock.now())
    grant = grants.find_grant(runtime, refresh.grant_id) if refresh and refresh.client_id == client.id else None
    if grant is not None:
        cut_app(context, grant, "grant-revoked")


def push(context: Context) -> Answer:
    """Keep a pushed authorization request of an authenticated client."""
    try:
        params = parameters_of(context.received)
        authenticate(context, params, "par")
        if context.client is None:
            raise InvalidClientError
        jkt = dpop.thumbprint_of_request(context)
        return authorization.push(context, context.client, params, jkt)
    except OAuth2Error as error:
        return error_answer(error, context)


def userinfo(context: Context) -> Answer:
    """Return who logged in, to the holder of a token with `openid`."""
    header = context.received.headers.get("Authorization", "")
    token = header.partition(" ")[2].strip()
    access = access_tokens.find_access(context.runtime, token) if header.isascii() and token else None
    if access is None or not _is_held(context, access, header):
        return Answer(401, {"error": "invalid_token"}, dict(_UNAUTHORIZED) | NO_STORE)
    if not Scopes.parse(access.scopes).has("openid"):
        return Answer(403, {"error": "insufficient_scope"}, dict(NO_STORE))
    return Answer(200, user_claims(context, access.grant, access.scopes), dict(NO_STORE))


def _is_held(context: Context, access: AccessToken, header: str) -> bool:
    """Tell whether the sender of a token is its holder."""
    received = context.received
    scheme, _, token = header.partition(" ")
    proof = dpop.DpopProof(received.headers.get("DPoP", ""), received.method, received.url)
    is_certified = shows_certificate(access, received.certificate)
    return is_certified and is_held(context.runtime, access, (scheme, token.strip()), proof)


def launch(context: Context) -> Answer:
    """Create an EHR launch handle for a trusted client."""
    try:
        params = parameters_of(context.received)
        authenticate(context, params, "launch")
        target = find(context.runtime, ClientId(params.get("app", "")))
        is_trusted = context.client is not None and context.client.trusted_launcher
        if not is_trusted or target is None or not {"patient", "login"} <= params.keys():
            raise InvalidRequestError("this client may not create a launch, or app, patient or login is missing")
        patient = PatientId(params["patient"])
        if not has_space(context.runtime, patient):
            raise InvalidRequestError("patient is not the id of a Patient here")
    except OAuth2Error as error:
        return error_answer(error, context)
    further = {"intent": params["intent"]} if "intent" in params else {}
    handle = create_launch(context.runtime, Launch(target.id, params["login"], patient, further))
    return Answer(201, {"launch": handle, "iss": context.runtime.fhir_base}, dict(NO_STORE))
