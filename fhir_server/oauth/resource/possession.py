"""Tokens that only their holder can use: bound to a key by DPoP, or to a client certificate of the TLS connection.

Sources: RFC 9449 (DPoP); RFC 8705 3 (certificate-bound access tokens).
"""

from hmac import compare_digest

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.access_tokens import AccessToken, Holder
from fhir_server.oauth.base.wire import Request
from fhir_server.oauth.resource.dpop import DpopProof, InvalidDpopProofError, verify

_NOBODY = Holder()


def holder_of(request: Request, bound: Holder = _NOBODY) -> Holder:
    """Return what the tokens of this request are bound to: the key and the certificate that its client proves.

    bound: what the grant is already bound to.
    Raises: InvalidDpopProofError, InvalidRequestError when a required proof or certificate is missing;
    InvalidGrantError.
    """
    client, received = request.client.client, request.context.received
    jkt: str = request.proof_jkt
    if client.dpop_required and not jkt:
        raise InvalidDpopProofError("this client must prove possession of its key")
    if bound.jkt and jkt != bound.jkt:
        raise InvalidGrantError("the grant is bound to another key")
    if not client.certificate_bound:
        return Holder(jkt)
    if not request.context.options.certificates or not received.certificate:
        raise InvalidRequestError("this client must connect with its certificate")
    if bound.x5t and received.certificate != bound.x5t:
        raise InvalidGrantError("the grant is bound to another certificate")
    return Holder(jkt, received.certificate)


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
