"""The address of the authorization server, and its metadata.

Sources: SMART App Launch 2.2 conformance (https://hl7.org/fhir/smart-app-launch/conformance.html), RFC 8414,
OpenID Connect Discovery 1.0, RFC 8705, RFC 9126, RFC 9207, RFC 9449.
"""

from consent_rules.scopes import LETTERS
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.values import Interaction, Json
from fhir_server.oauth.base.options import Options
from fhir_server.registry import OWNED, REGISTRY, AccessRule, ResourceType, types_under

CAPABILITIES = (
    "launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric",
    "client-confidential-asymmetric", "sso-openid-connect", "context-banner", "context-ehr-patient",
    "context-standalone-patient", "permission-offline", "permission-online", "permission-patient", "permission-user",
    "permission-v1", "permission-v2",
)  # fmt: skip
AUTH_METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post", "none")
ASSERTION_ALGORITHMS = ("RS384", "ES384", "PS384", "ES256")
EUROPEAN_ALGORITHMS = ("RS384", "ES384")
"""The algorithms of an assertion in the EU Health Data API, where a secret is not compliant."""
PROOF_ALGORITHMS = ("ES256", "ES384", "RS256", "RS384", "PS256", "PS384")
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name of RFC 8693
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE)
_INTERACTIONS = {
    "c": frozenset({Interaction.CREATE}),
    "r": frozenset({Interaction.READ, Interaction.VREAD, Interaction.HISTORY}),
    "u": frozenset({Interaction.UPDATE, Interaction.PATCH}),
    "d": frozenset({Interaction.DELETE}),
    "s": frozenset({Interaction.SEARCH}),
}
"""The interactions that each letter of a SMART scope allows."""
_PEOPLE_AND_PLACES = frozenset({AccessRule.DIRECTORY, AccessRule.IDENTITY})
_FILED = types_under(AccessRule.CONTENT, AccessRule.GATHERING) - {
    row.name for row in REGISTRY.values() if row.by_server
}
"""Types that are created in a submission alone (ITI-65)."""
_BY_SOFTWARE = _PEOPLE_AND_PLACES | {AccessRule.TRACE}
_RECORDED = frozenset(row.name for row in REGISTRY.values() if row.of_person or row.access in _BY_SOFTWARE)
BRANDS_PATH = "/brands.json"
LEVELS = ("eidas1", "eidas2", "eidas3")
"""Levels of login, weakest first; compare their order, never test for equality."""


def _letters(row: ResourceType, level: str) -> str:
    """Return the letters of all that the server offers for a type; only software records people and places."""
    does = row.interactions | ({Interaction.CREATE} if row.name in _FILED else frozenset())
    allowed = "rs" if row.name in _RECORDED and level != "system" else LETTERS
    return "".join(letter for letter in allowed if does & _INTERACTIONS[letter])


SCOPES = (
    *("openid", "fhirUser", "profile", "launch", "launch/patient", "offline_access", "online_access"),
    *("patient/*.rs", "patient/*.read", "user/*.rs", "user/*.read"),
    *(
        f"{level}/{row.name}.{_letters(row, level)}"
        for level in ("patient", "user", "system")
        for row in (*REGISTRY.values(), *OWNED.values())
    ),
)
"""Scopes of the metadata: the widest for each type; the server also grants narrower ones."""


def issuer_of(runtime: Runtime) -> str:
    """Return the issuer: the server's public address, from configuration and never from a Host header."""
    return runtime.fhir_base.rpartition("/")[0]


def address(runtime: Runtime, path: str) -> str:
    """Return the public address of one of our paths."""
    return f"{issuer_of(runtime)}{path}"


def is_strong_enough(acr: str, wanted: str | None) -> bool:
    """Tell whether a level of login is at least another level; no level reaches an unknown one."""
    if not wanted:
        return True
    return wanted in LEVELS and acr in LEVELS and LEVELS.index(acr) >= LEVELS.index(wanted)


def authorization_server_metadata(runtime: Runtime, options: Options) -> Json:
    """Return the RFC 8414 document, which the other discovery documents extend."""
    endpoints = {
        "authorization_endpoint": "/oauth/authorize",
        "token_endpoint": "/oauth/token",
        "pushed_authorization_request_endpoint": "/oauth/par",
        "introspection_endpoint": "/oauth/introspect",
        "revocation_endpoint": "/oauth/revoke",
        "management_endpoint": "/account/apps",
        "jwks_uri": "/oauth/jwks",
    }
    if options.registration:
        endpoints["registration_endpoint"] = "/oauth/register"
    bound = {"tls_client_certificate_bound_access_tokens": True} if options.certificates else {}
    document: Json = {"issuer": issuer_of(runtime)}
    document |= {name: address(runtime, path) for name, path in endpoints.items()}
    return document | _STATIC | bound


def openid_configuration(runtime: Runtime, options: Options) -> Json:
    """Return the OpenID provider metadata: the same document, with what an id_token needs."""
    return authorization_server_metadata(runtime, options) | {
        "userinfo_endpoint": address(runtime, "/oauth/userinfo"),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "fhirUser", "name"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def smart_configuration(runtime: Runtime, options: Options) -> Json:
    """Return the SMART document of the FHIR endpoint."""
    return authorization_server_metadata(runtime, options) | {
        "capabilities": list(CAPABILITIES),
        "associated_endpoints": [{"url": runtime.fhir_base, "capabilities": ["launch-standalone"]}],
        **_brand(runtime, options),
    }


def _brand(runtime: Runtime, options: Options) -> Json:
    if options.brand is None:
        return {}
    where = address(runtime, BRANDS_PATH)
    return {"user_access_brand_bundle": where, "user_access_brand_identifier": options.brand.identifier}


_STATIC: Json = {
    "response_types_supported": ["code"],
    "response_modes_supported": ["query"],
    "grant_types_supported": list(GRANT_TYPES),
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
    "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
    "introspection_endpoint_auth_methods_supported": ["Bearer", "private_key_jwt", "client_secret_basic"],
    "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
    "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
    "authorization_response_iss_parameter_supported": True,
    "require_pushed_authorization_requests": False,
    "scopes_supported": list(SCOPES),
    "acr_values_supported": list(LEVELS),
    "prompt_values_supported": ["none", "login", "consent"],
    "ui_locales_supported": ["fr", "en"],
}
