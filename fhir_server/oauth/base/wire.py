"""Requests and answers of the authorization server, independent of any web framework.

Authlib's grants read an `OAuth2Request`. Ours contains checked parameters only: query and form are never merged, and no
Host header decides the scheme.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.clients import Client
from fhir_server.domain.caller import Origin
from fhir_server.domain.values import Json
from fhir_server.oauth.base.options import Options

_INTERNAL = "https://localhost/"
"""Authlib refuses an address with plain http; our configuration decides about http, so Authlib gets this constant."""
PARAMETER_LIMIT = 64
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Headers(Protocol):
    """Header lookup that ignores case, as frameworks offer it."""

    def get(self, name: str, default: str, /) -> str:
        """Return a header's value."""


@dataclass(frozen=True, slots=True)
class Received:
    """One HTTP request as a view provides it.

    query, form: every pair as sent, in order. url: the public address that was called, without its query. certificate:
        thumbprint of the client certificate from a trusted proxy, "" for none. browser: value of the cookie that
        recognises a browser, "" for none.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] = ()
    headers: Headers = field(default_factory=dict[str, str])
    is_form: bool = False
    address: str = ""
    request_id: str = ""
    certificate: str = ""
    browser: str = ""

    @property
    def origin(self) -> Origin:
        """Where the request came from, for the audit log."""
        return Origin(self.address, self.request_id)


@dataclass(slots=True)
class Answer:
    """One HTTP answer; a dict body is sent as JSON."""

    status: int
    body: Json | str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """The address to which the answer redirects a browser, "" when it does not."""
        return self.headers.get("Location", "")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["Location"] = value


class Request(OAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """A request to one of the endpoints, with parameters that occur only once."""

    def __init__(self, context: "Context", params: Mapping[str, str]) -> None:
        """Keep the parameters; `proof_jkt` is set when a DPoP proof has been verified."""
        super().__init__("POST", _INTERNAL, headers=context.received.headers)
        self.payload = BasicOAuth2Payload(dict(params))
        self.context = context
        self.proof_jkt = ""
        self.assertion_claims: Json = {}

    @property
    def args(self) -> Mapping[str, str]:
        """Query parameters; our endpoints never read them."""
        return {}

    @property
    def form(self) -> Mapping[str, str]:
        """The parameters."""
        params: Mapping[str, str] = self.payload.data
        return params


@dataclass(slots=True)
class Context:
    """Everything that one request to the authorization server needs; client is set when it is authenticated."""

    runtime: Runtime
    options: Options
    received: Received
    client: Client | None = None


def parameters_of(received: Received) -> dict[str, str]:
    """Return the parameters of a posted form.

    Raises: InvalidRequestError when the body is not a form, the URL has parameters, or a parameter is repeated.
    """
    if not received.is_form:
        raise InvalidRequestError("the request must be application/x-www-form-urlencoded")
    if received.query:
        raise InvalidRequestError("parameters are accepted in the body only")
    return once(received.form)


def once(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return pairs as a mapping; empty values count as omitted (RFC 6749, 3.1).

    Raises: InvalidRequestError when a parameter is repeated, or when there are far too many.
    """
    names = [name for name, _ in pairs]
    if len(names) > PARAMETER_LIMIT:
        raise InvalidRequestError("too many parameters")
    if len(set(names)) != len(names):
        raise InvalidRequestError("a parameter was sent more than once")
    return {name: value for name, value in pairs if value}
