"""From the Authorization header of a FHIR request to the caller.

Sources: RFC 6750 (bearer tokens), RFC 9449 (DPoP), RFC 8705 (certificate-bound tokens), RFC 9470 (step-up).
"""

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.access_tokens import AccessToken, find_used
from fhir_server.domain.caller import Caller, Origin
from fhir_server.domain.problem import Category, Problem
from fhir_server.oauth.resource import step_up
from fhir_server.oauth.resource.dpop import DpopProof
from fhir_server.oauth.resource.possession import is_held, shows_certificate


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
    access, in_lockdown = _access(runtime, authorization, proof)
    if not shows_certificate(access, certificate):
        raise _refused("invalid_token")
    caller = Caller.of_token(access.grant, access.token_id, access.scopes, origin, in_lockdown=in_lockdown)
    step_up.demand_of_professional(caller, runtime.professional_level, runtime.ports.clock.now())
    return caller


def _access(runtime: Runtime, authorization: str | None, proof: DpopProof | None) -> tuple[AccessToken, bool]:
    if not authorization:
        raise Problem.of(Category.UNAUTHENTICATED, "send an access token in the Authorization header")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    access, in_lockdown = find_used(runtime, token) if token.isascii() else (None, False)
    if access is None or access.grant.audience != runtime.fhir_base:
        raise _refused("invalid_token")
    if not is_held(runtime, access, (scheme, token), proof):
        raise _refused("invalid_dpop_proof" if access.jkt else "invalid_token")
    return access, in_lockdown


def _refused(code: str) -> Problem:
    return Problem.of(Category.UNAUTHENTICATED, "the access token is unknown, expired, ended or not yours", code=code)
