"""From the Authorization header of a FHIR request to the caller: token, possession of its key, strength of the login.

Sources: RFC 6750 (bearer tokens), RFC 9449 (DPoP), RFC 8705 (certificate-bound tokens), RFC 9470 (step-up).
"""

from dataclasses import replace
from datetime import datetime
from hmac import compare_digest

from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory.professionals import vouches
from fhir_server.application.identity.access_tokens import AccessToken, Used, find_used
from fhir_server.domain.caller import Caller, Origin
from fhir_server.domain.problem import Category, Issue, Problem, RequiredLogin
from fhir_server.domain.supervision import NO_SUPERVISION
from fhir_server.oauth.base.issuer import LEVELS, is_strong_enough
from fhir_server.oauth.resource.dpop import DpopProof, InvalidDpopProofError, verify

EMERGENCY = RequiredLogin(LEVELS[1], 300)
"""The login that breaking the glass requires: two factors, at most five minutes ago."""
_OF_MODE = {Purpose.BREAK_GLASS: EMERGENCY, Purpose.EMERGENCY: RequiredLogin(LEVELS[1])}
"""The login for each emergency mode: a regulating physician logs in once for a shift and opens many spaces."""
_LEVELLED = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.AUDITOR})


def caller_of(
    runtime: Runtime,
    authorization: str | None,
    origin: Origin,
    proof: DpopProof | None = None,
    certificate: str = "",
) -> Caller:
    """Return the caller of a request, from one look-up of the token's current state.

    proof: the DPoP header with the method and the public address called; required for a token that is bound to a key.
    certificate: thumbprint of the connection's client certificate, "" when there is none.
    Raises: Problem(UNAUTHENTICATED); its issue has the error code of RFC 6750, or none when no token was sent.
    """
    access, used = _access(runtime, authorization, proof)
    if not shows_certificate(access, certificate):
        raise _refused("invalid_token")
    return _caller(runtime, access, used, origin)


def caller_again(runtime: Runtime, authorization: str | None, origin: Origin) -> Caller:
    """Return the caller by the state that the token has now; the request has shown its proofs already.

    Raises: Problem(UNAUTHENTICATED) when the token holds no longer.
    """
    used = find_used(runtime, (authorization or "").partition(" ")[2].strip())
    if used.access is None:
        raise _refused("invalid_token")
    return _caller(runtime, used.access, used, origin)


def _caller(runtime: Runtime, access: AccessToken, used: Used, origin: Origin) -> Caller:
    if access.grant.by_software and not vouches(runtime, access.grant.requester):
        raise _refused("invalid_token")
    caller = Caller.of_token(access.grant, access.token_id, access.scopes, origin, in_lockdown=used.in_lockdown)
    if used.supervision is not NO_SUPERVISION:
        caller = replace(caller, supervision=used.supervision)
    demand_of_professional(caller, runtime.professional_level, runtime.ports.clock.now())
    return caller


def is_in_force(runtime: Runtime, authorization: str) -> bool:
    """Tell whether the token of a request that is being answered still holds, and the server is not locked down."""
    token = authorization.partition(" ")[2].strip()
    used = find_used(runtime, token) if token.isascii() else Used()
    return used.access is not None and not used.in_lockdown


def _access(runtime: Runtime, authorization: str | None, proof: DpopProof | None) -> tuple[AccessToken, Used]:
    if not authorization:
        raise Problem.of(Category.UNAUTHENTICATED, "send an access token in the Authorization header")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    used = find_used(runtime, token) if token.isascii() else Used()
    access = used.access
    if access is None or access.grant.audience != runtime.fhir_base:
        raise _refused("invalid_token")
    if not is_held(runtime, access, (scheme, token), proof):
        raise _refused("invalid_dpop_proof" if access.jkt else "invalid_token")
    return access, used


def _refused(code: str) -> Problem:
    return Problem.of(Category.UNAUTHENTICATED, "the access token is unknown, expired, ended or not yours", code=code)


def shows_certificate(access: AccessToken, certificate: str) -> bool:
    """Tell whether the connection has the certificate that a token is bound to; True for a token without one."""
    return not access.x5t or compare_digest(access.x5t.encode(), certificate.encode())


def is_held(runtime: Runtime, access: AccessToken, authorization: tuple[str, str], proof: DpopProof | None) -> bool:
    """Tell whether a token came as required: one bound to a key with a fresh proof, any other as bearer token.

    authorization: scheme and token as sent.
    """
    scheme, token = authorization
    if not access.jkt:
        return scheme.lower() == "bearer"
    try:
        return scheme.lower() == "dpop" and proof is not None and verify(runtime, proof, token) == access.jkt
    except InvalidDpopProofError:
        return False


def demand(caller: Caller, wanted: RequiredLogin, now: datetime) -> None:
    """Refuse a caller whose person logged in less strongly or less recently than required.

    Raises: Problem(UNAUTHENTICATED) with the login that would be enough.
    """
    at, limit = caller.granted.proof.at, wanted.max_age
    is_recent = limit is None or (at is not None and (now - at).total_seconds() <= limit)
    if not (is_recent and is_strong_enough(caller.granted.proof.acr, wanted.level)):
        issue = Issue("the person must log in again", code="insufficient_user_authentication")
        raise Problem(Category.UNAUTHENTICATED, issue, login=wanted)


def demand_in_emergency(caller: Caller, mode: Purpose, now: datetime) -> None:
    """Check that the login of a caller who opens a space is enough for the emergency mode of their grant.

    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.purpose is mode and caller.granted.proof.at is not None:
        demand(caller, _OF_MODE[mode], now)


def demand_of_professional(caller: Caller, level: str | None, now: datetime) -> None:
    """Check that the login of a professional or an auditor has the level that the operator requires.

    A professional for whom an establishment's software acts did not log in here: the establishment is responsible.
    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.requester.kind in _LEVELLED and caller.granted.proof.at is not None:
        demand(caller, RequiredLogin(level), now)
