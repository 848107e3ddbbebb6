"""From the Authorization header of a FHIR request to the party that calls.

Sources: RFC 6750 (bearer tokens), RFC 9449 (DPoP).
"""

from fhir_server.application.app_authorization import Access, caller_for, find_access
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.oauth.dpop import InvalidDpopProofError, Proof, verify


def caller_of(
    runtime: Runtime, authorization: str | None, address: str, request_id: str, proof: Proof | None = None
) -> Caller:
    """Return the party of a request, from one live look-up of its token.

    proof: the DPoP header with the method and the public address called; needed for tokens that are bound to a key.
    Raises: Problem(UNAUTHENTICATED); the code of its issue is the error code of RFC 6750, none without any token.
    """
    return caller_for(_access(runtime, authorization, proof), address, request_id)


def _access(runtime: Runtime, authorization: str | None, proof: Proof | None) -> Access:
    if not authorization:
        raise Problem.of(Category.UNAUTHENTICATED, "send an access token in the Authorization header")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    access = find_access(runtime, token) if token.isascii() else None
    if access is None or access.grant.audience != runtime.fhir_base:
        raise _refused("invalid_token")
    if not access.jkt:
        if scheme.lower() != "bearer":
            raise _refused("invalid_token")
        return access
    if scheme.lower() != "dpop" or proof is None or not _proves(runtime, proof, token, access.jkt):
        raise _refused("invalid_dpop_proof")
    return access


def _proves(runtime: Runtime, proof: Proof, token: str, jkt: str) -> bool:
    try:
        return verify(runtime, proof, token) == jkt
    except InvalidDpopProofError:
        return False


def _refused(code: str) -> Problem:
    return Problem.of(Category.UNAUTHENTICATED, "the access token is unknown, expired, ended or not yours", code=code)
