"""What the tokens of a new grant are bound to: a key that the client proves by DPoP, or its TLS certificate.

Sources: RFC 9449 (DPoP); RFC 8705 3 (certificate-bound access tokens).
"""

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from fhir_server.application.identity.access_tokens import Holder
from fhir_server.oauth.base.wire import Request
from fhir_server.oauth.resource.dpop import InvalidDpopProofError

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
