"""From the Authorization header of a FHIR request to the party that calls.

Sources: RFC 6750 (bearer tokens), RFC 9449 (DPoP), RFC 9470 (step-up).
"""

from fhir_server.application.app_authorization import Access, caller_for, find_access
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem

REALM = "habilis"


def caller_of(runtime: Runtime, authorization: str | None, address: str, request_id: str) -> Caller:
    """Return the party of a request, from one live look-up of its token.

    Raises: Problem(UNAUTHENTICATED); `challenge_of` gives its WWW-Authenticate header.
    """
    return caller_for(_access(runtime, authorization), address, request_id)


def challenge_of(problem: Problem) -> str:
    """Return the WWW-Authenticate value of an UNAUTHENTICATED or INSUFFICIENT_SCOPE problem.

    Without any token there is no error code (RFC 6750, 3.1).
    """
    if problem.category is Category.INSUFFICIENT_SCOPE:
        return f'Bearer realm="{REALM}", error="insufficient_scope"'
    code = problem.issues[0].code if problem.issues else ""
    return f'Bearer realm="{REALM}", error="{code}"' if code else f'Bearer realm="{REALM}"'


def _access(runtime: Runtime, authorization: str | None) -> Access:
    if not authorization:
        raise Problem.of(Category.UNAUTHENTICATED, "send an access token in the Authorization header")
    scheme, _, token = authorization.partition(" ")
    access = find_access(runtime, token.strip()) if scheme.lower() == "bearer" and token.isascii() else None
    if access is None or access.jkt or access.grant.audience != runtime.fhir_base:
        raise Problem.of(
            Category.UNAUTHENTICATED, "the access token is unknown, expired or ended", code="invalid_token"
        )
    return access
