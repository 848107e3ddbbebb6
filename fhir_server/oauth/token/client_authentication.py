"""How a client proves who it is: by a secret or a signed assertion, in one way per request, and never in the URL.

Sources: RFC 6749 2.3; RFC 7523; SMART App Launch 2.2, asymmetric client authentication
(https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import timedelta

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc.jwk import KeySet

from fhir_server.application.identity.clients import AuthMethod, decoded
from fhir_server.domain.values import Json
from fhir_server.oauth.base import assertions, compact
from fhir_server.oauth.base.assertions import BROKEN, LEEWAY, MALFORMED, AssertionFault, Sender, named_by
from fhir_server.oauth.base.issuer import address, issuer_of
from fhir_server.oauth.base.wire import Context, Request
from fhir_server.oauth.granted.records import RegisteredClient
from fhir_server.ports.vault import Secret

METHODS = ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = timedelta(minutes=5)
_JTI = "jti"
_BASIC_LIMIT = 4096
_SCHEME_AND_VALUE = 2
BAD_ASSERTION = "the client assertion is not valid"
_TYPES = frozenset({"JWT", "client-authentication+jwt"})


def guard(params: Mapping[str, str], authorization: str) -> None:
    """Refuse input that Authlib cannot handle, and more than one way of authentication in one request.

    Raises: InvalidRequestError, InvalidClientError.
    """
    if authorization and len(authorization.split(None, 1)) < _SCHEME_AND_VALUE:
        raise InvalidRequestError("malformed Authorization header")
    is_basic = authorization.lower().startswith("basic ")
    ways = is_basic + ("client_secret" in params) + ("client_assertion" in params)
    if ways > 1:
        raise InvalidRequestError("use only one client authentication method")
    if is_basic:
        _check_basic(authorization, params.get("client_id"))
    if "client_assertion" in params and params.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClientError(description="unknown client_assertion_type", status_code=401)


def claimed(params: Mapping[str, str], authorization: str) -> str:
    """Return the client id that a request claims, "" when it claims none; the claim proves nothing."""
    basic = _basic(authorization)
    named = params.get("client_id") or (basic[0] if basic else named_by(params.get("client_assertion", "")))
    return named if named.isascii() and named.isprintable() else ""


def _basic(authorization: str) -> tuple[str, str] | None:
    """Return id and secret of Basic credentials, both percent-decoded; None when the header has none.

    Source: RFC 6749 2.3.1 (both halves are encoded before they are joined).
    """
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic" or len(value) > _BASIC_LIMIT:
        return None
    try:
        named, colon, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (decoded(named), decoded(secret)) if colon else None


def _check_basic(authorization: str, client_id: str | None) -> None:
    basic = _basic(authorization)
    if basic is None:
        raise InvalidClientError(description="malformed Basic credentials", status_code=401)
    if client_id is not None and client_id != basic[0]:
        raise InvalidClientError(description="contradictory client credentials", status_code=401)


def by_basic(find: Callable[[object], RegisteredClient | None], request: Request) -> RegisteredClient | None:
    """Authenticate by Basic credentials, parsed as everywhere here; return None when they are wrong."""
    basic = _basic(request.headers.get("Authorization", ""))
    client = find(basic[0]) if basic else None
    return client if client and basic and client.check_client_secret(basic[1]) else None


def _demand_bounded(form: Mapping[str, str]) -> None:
    """Refuse an assertion that is too long or too deep to parse, or that comes with another client's id.

    Source: RFC 7521 4.2 (client_id must identify the same client).
    """
    try:
        compact.demand_small(form["client_assertion"])
    except ValueError:
        raise _refused("malformed, too long or nested too deeply") from None
    named = form.get("client_id")
    if named is not None and named != named_by(form["client_assertion"]):
        raise InvalidClientError(description="contradictory client credentials", status_code=401)


class Assertions(JWTBearerClientAssertion):  # type: ignore[misc]  # Authlib ships no types
    """`private_key_jwt` as SMART requires it: RS384 or ES384, a known key, five minutes at most, valid once."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, context: Context) -> None:
        """Bind to one request."""
        super().__init__()
        self.context = context
        self.claims: Json = {}

    def __call__(self, query_client: Callable[[object], RegisteredClient | None], request: Request) -> object:
        """Authenticate, and store the claims in the request for the code that needs them.

        Raises: InvalidClientError.
        """
        if request.form.get("client_assertion"):
            _demand_bounded(request.form)
        client = super().__call__(query_client, request)
        request.assertion_claims = self.claims
        return client

    def get_audiences(self) -> list[str]:
        """Return the names that an assertion may have as its audience."""
        runtime = self.context.runtime
        return [address(runtime, "/oauth/token"), issuer_of(runtime), self.context.received.url]

    def resolve_client_public_key(self, client: RegisteredClient) -> KeySet:
        """Return the registered keys, from the registration or from the registered address."""
        self._registered = client.client
        try:
            return assertions.keys_of(self.context.runtime, client.client, self.context.options.bulkhead)
        except AssertionFault as fault:
            raise InvalidClientError(description=str(fault), status_code=401) from None

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> Json:
        """Verify header, signature and claims, and use up the assertion.

        Raises: InvalidClientError that says what was expected, and nothing about the keys or the sender.
        """
        try:
            claims = assertions.verified(assertion, Sender(self._registered, resolve_key, _TYPES))
            self._check(claims)
        except AssertionFault as fault:
            raise _refused(str(fault)) from None
        except BROKEN:
            raise _refused(MALFORMED) from None
        self.claims = claims
        return claims

    def _check(self, claims: Json) -> None:
        now = self.context.runtime.ports.clock.now()
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        client_id, ours = self._registered.id, self.get_audiences()
        expected = {
            f"aud must be {ours[0]}": bool(set(audiences) & set(ours)),
            "iss and sub must both be the client id": claims["iss"] == claims["sub"] == client_id,
        }
        assertions.demand(expected | assertions.timely(claims, now, LONGEST))
        until = compact.instant(claims["exp"]) + LEEWAY
        if not self.context.runtime.ports.vault.add(Secret(_JTI, f"{client_id}|{claims['jti']}", b"", expires=until)):
            raise _refused("it was used before; each needs a jti of its own")


def _refused(text: str) -> InvalidClientError:
    return InvalidClientError(description=f"{BAD_ASSERTION}: {text}", status_code=401)


def way_of(params: Mapping[str, str], authorization: str) -> AuthMethod:
    """Return the way in which a request tries to authenticate its client."""
    if authorization.lower().startswith("basic "):
        return AuthMethod.BASIC
    if "client_assertion" in params:
        return AuthMethod.PRIVATE_KEY_JWT
    return AuthMethod.POST if "client_secret" in params else AuthMethod.NONE
