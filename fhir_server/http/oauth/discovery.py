"""Discovery: where the authorization server is and what it supports, in three documents.

Sources: SMART App Launch 2.2 (.well-known/smart-configuration), RFC 8414 3.1, OpenID Connect Discovery 4.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, request

from fhir_server.http.oauth.endpoints import respond
from fhir_server.http.request_context import options, runtime
from fhir_server.oauth.base import brands, issuer
from fhir_server.oauth.base.wire import Answer

_discovery = Blueprint("discovery", __name__)


def register(app: Flask) -> None:
    """Register the documents."""
    app.register_blueprint(_discovery)


@_discovery.get("/fhir/.well-known/smart-configuration")
@_discovery.get("/.well-known/smart-configuration")
def smart_configuration() -> Response:
    """Answer with the SMART document, always as JSON."""
    return _published(issuer.smart_configuration(runtime(), options()))


@_discovery.get("/.well-known/oauth-authorization-server")
@_discovery.get("/.well-known/oauth-authorization-server/<path:issuer_path>")
def authorization_server(issuer_path: str = "") -> Response:
    """Answer with the RFC 8414 document; the path of an issuer that has one follows the well-known name."""
    if issuer_path != urlsplit(issuer.issuer_of(runtime())).path.strip("/"):
        abort(404)
    return _published(issuer.authorization_server_metadata(runtime(), options()))


@_discovery.get("/.well-known/openid-configuration")
def openid_configuration() -> Response:
    """Answer with the OpenID provider metadata."""
    return _published(issuer.openid_configuration(runtime(), options()))


@_discovery.get(issuer.BRANDS_PATH)
def user_access_brands() -> Response:
    """Answer with the Bundle of the brand; nothing is there when none is set."""
    brand = options().brand
    if brand is None:
        abort(404)
    document, etag = brands.bundle(runtime(), brand)
    response = _published(document)
    response.headers["ETag"] = etag
    response.mimetype = "application/fhir+json"
    response.make_conditional(request)
    return response


def _published(document: dict[str, Any]) -> Response:
    headers = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
    return respond(Answer(200, document, headers))
