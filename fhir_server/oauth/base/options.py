"""Settings of the authorization server."""

from dataclasses import dataclass, field
from datetime import timedelta

from fhir_server.oauth.base.bulkhead import Bulkhead
from fhir_server.settings.brands import Brand
from fhir_server.settings.limits import page_threads
from fhir_server.settings.server import Settings
from fhir_server.settings.upstream import Provider


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many failures are allowed within a window.

    failures: of one name at one browser or address. everywhere: of one account at all browsers and addresses together
        from which it never signed in. per_address: of one address, for all names together. begun: sign-ins that new
        browsers may begin at one address.
    """

    failures: int = 10
    window: timedelta = timedelta(minutes=15)
    per_address: int = 60
    everywhere: int = 100
    begun: int = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the authorization server; the defaults are safe.

    registration: whether RFC 7591 registration is open to holders of an initial access token.
    initial_tokens: SHA-256 (hex) of those tokens.
    certificates: whether a trusted proxy sends the certificates of clients (RFC 8705).
    providers: where people may sign in instead of here. brand: how apps show the service.
    bulkhead: how many requests to providers and to addresses of clients' keys may run at once.
    """

    registration: bool = False
    initial_tokens: tuple[str, ...] = ()
    throttle: Throttle = field(default_factory=Throttle)
    code_lifetime: timedelta = timedelta(seconds=60)
    interaction_lifetime: timedelta = timedelta(minutes=15)
    session_idle: timedelta = timedelta(minutes=30)
    session_absolute: timedelta = timedelta(hours=8)
    offline_limit: timedelta = timedelta(days=365)
    certificates: bool = False
    providers: tuple[Provider, ...] = ()
    brand: Brand | None = None
    bulkhead: Bulkhead = field(default_factory=Bulkhead)


def of_settings(settings: Settings) -> Options:
    """Return the options from the server's settings."""
    failures = settings.throttle_failures
    window = timedelta(minutes=settings.throttle_minutes)
    return Options(
        registration=settings.registration,
        initial_tokens=settings.registration_tokens,
        throttle=Throttle(
            failures,
            window,
            settings.throttle_address_failures,
            everywhere=10 * failures,
            begun=settings.throttle_sign_ins,
        ),
        certificates=bool(settings.proxies.certificate_header),
        providers=settings.providers,
        brand=settings.brand,
        bulkhead=Bulkhead(settings.upstream_places, page_threads(settings.threads) - 1),
    )
