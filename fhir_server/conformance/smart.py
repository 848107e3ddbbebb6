"""SMART App Launch and OAuth: what a stranger without a token is answered, and what discovery says.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/.
"""

from urllib.parse import urlsplit

from fhir_server.conformance.exchange import FORM, JSON, Resource
from fhir_server.conformance.requirement import Guide, Need, NotApplicable, Probe, expect
from fhir_server.conformance.rest import one_document

GUIDE = Guide("smart", "https://hl7.org/fhir/smart-app-launch/STU2.2/")
_DISCOVERY = "conformance.html#using-well-known"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def configuration(probe: Probe) -> Resource:
    """Return the configuration of SMART.

    Raises: Broken when there is none.
    """
    answer = probe.get(".well-known/smart-configuration", headers={"Accept": "application/json"}, need=None)
    expect(answer.status == 200 and answer.resource, "200 with a JSON object, without a token")
    return answer.resource


def _names(configured: Resource, name: str) -> list[str]:
    value = configured.get(name)
    return [str(one) for one in value] if isinstance(value, list) else []


@GUIDE.requires("SMART-discovery", _DISCOVERY)
def _(probe: Probe) -> None:
    """The configuration names the token endpoint, grant types, capabilities and methods of PKCE."""
    configured = configuration(probe)
    wanted = ("token_endpoint", "grant_types_supported", "capabilities", "code_challenge_methods_supported")
    missing = [name for name in wanted if not configured.get(name)]
    expect(not missing, f"the members {', '.join(missing)}")


@GUIDE.requires("SMART-pkce", "app-launch.html#considerations-for-pkce-support")
def _(probe: Probe) -> None:
    """PKCE is offered with S256, and not with `plain`."""
    methods = _names(configuration(probe), "code_challenge_methods_supported")
    expect("S256" in methods and "plain" not in methods, "S256, and not `plain`")


@GUIDE.requires("SMART-tls", "app-launch.html#app-protection")
def _(probe: Probe) -> None:
    """Every endpoint of the authorization server has an https address (http only on this very machine)."""
    configured = configuration(probe)
    urls = [str(value) for name, value in configured.items() if name.endswith("_endpoint")]
    open_ = [url for url in urls if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in _LOOPBACK]
    expect(not open_, f"https instead of {', '.join(open_)}")


@GUIDE.requires("SMART-token-error", "app-launch.html#obtain-access-token")
def _(probe: Probe) -> None:
    """The token endpoint refuses an unknown grant type with a JSON error, and forbids to store the answer."""
    url = str(configuration(probe).get("token_endpoint", ""))
    body = b"grant_type=no-such-grant"
    answer = probe.send("POST", url, headers={"Accept": "application/json", "Content-Type": FORM}, body=body, need=None)
    expect(answer.status in (400, 401) and answer.resource.get("error"), "400 with `error` (RFC 6749 5.2)")
    expect("no-store" in answer.headers.get("cache-control", ""), "Cache-Control: no-store")


@GUIDE.requires("RFC6750-no-token", "app-launch.html#obtain-access-token", Need.READER, Need.PATIENT)
def _(probe: Probe) -> None:
    """A read without a token is refused with 401, and WWW-Authenticate names Bearer (RFC 6750, 3)."""
    answer = probe.get(one_document(probe), need=None)
    expect(answer.status == 401, "401")
    expect("bearer" in answer.headers.get("www-authenticate", "").lower(), "WWW-Authenticate: Bearer …")


@GUIDE.requires("RFC6750-bad-token", "app-launch.html#obtain-access-token", Need.READER, Need.PATIENT)
def _(probe: Probe) -> None:
    """A read with a token that was never issued is refused with 401 and `invalid_token` (RFC 6750, 3.1)."""
    headers = {"Accept": JSON, "Authorization": "Bearer never-issued"}
    answer = probe.send("GET", one_document(probe), headers=headers, need=None)
    expect(answer.status == 401, "401")
    expect("invalid_token" in answer.headers.get("www-authenticate", ""), 'error="invalid_token"')


@GUIDE.requires("SMART-cors", "conformance.html#using-well-known", level="SHOULD")
def _(probe: Probe) -> None:
    """An app in a browser may read the configuration from another origin."""
    headers = {"Accept": "application/json", "Origin": "https://app.example"}
    answer = probe.get(".well-known/smart-configuration", headers=headers, need=None)
    if answer.status != 200:
        raise NotApplicable("there is no configuration")
    expect(answer.headers.get("access-control-allow-origin") in ("*", "https://app.example"), "the origin allowed")
