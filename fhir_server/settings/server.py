"""Settings from HABILIS_* environment variables, parsed once; the server refuses to start with unsafe combinations.

docs/configuration.md has a heading for each variable; a test compares the two.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from consent_rules import rule_profile
from fhir_server.settings import audit_feed, brands, limits, mail, proxies, security, upstream
from fhir_server.settings.audit_feed import AuditFeed
from fhir_server.settings.brands import Brand
from fhir_server.settings.limits import Limits
from fhir_server.settings.mail import MailServer
from fhir_server.settings.proxies import Proxies
from fhir_server.settings.reading import PREFIX, LoginLevel, Number, Reader, Texts, is_url
from fhir_server.settings.security import SecurityContact
from fhir_server.settings.upstream import Provider

_Lower = BeforeValidator(str.lower)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OF_TESTS = f"{PREFIX}TEST_"
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class SettingsError(Exception):
    """A setting is missing, malformed or unsafe; the text names the variable and says what to do."""


def _address(text: str) -> str:
    """Return an address with its scheme in small letters, by which the checks tell https, and without a final slash."""
    scheme, colon, rest = text.partition(":")
    return f"{scheme.lower()}{colon}{rest}".rstrip("/")


def _profile(value: str) -> str:
    if value.lower() in rule_profile.names():
        return value.lower()
    if not value.endswith(".toml"):
        raise ValueError(f"must be one of: {', '.join(rule_profile.names())}, or the path of a .toml file")
    return value


@dataclass(frozen=True, slots=True)
class Settings:
    """One server's configuration.

    base_url: public address without a final slash; FHIR is served below /fhir. key_file: the key-encryption keys.
    demo: serve the invented people with ready-made tokens; refused on an address that others can reach.
    workers: processes. threads: of each process.
    worker: whether the server also works the outbox. wrong_size: refuse or warn when an attachment's size is wrong.
    withdrawal_status: the status by which a PATCH withdraws a document, besides `entered-in-error`.
    registration: whether clients may register themselves. registration_tokens: SHA-256 (hex) of the initial tokens.
    throttle_*: failures allowed for one name and for one address within this many minutes, and sign-ins that new
        browsers may begin.
    proxies: whose forwarded headers are believed, and which headers.
    professional_level: the weakest login with which a professional may use the FHIR endpoint.
    providers: where people may sign in instead of here. upstream_places: requests to each provider at once.
    metrics_host, metrics_port: where the metrics are shown; no port, no metrics.
    mail: the server that takes notices by mail, None for none. webhooks: whether apps are called about notices.
    audit_feed: where a copy of the audit log goes, None for nowhere.
    brand: how apps show the service. security: whom to tell of a weakness, None for nobody.
    request_rates: whether the requests of each token and client are limited.
    time_zone: the time zone of pages and mails. limits: what one request may cost.
    """

    base_url: Annotated[str, AfterValidator(_address)]
    data_dir: Path
    key_file: Path
    store: Annotated[Literal["sqlite", "mongodb"], _Lower] = "sqlite"
    mongodb_uri: SecretStr = field(default=SecretStr(""))
    mongodb_database: str = "habilis"
    demo: bool = False
    host: str = "127.0.0.1"
    port: Number = 8080
    rule_profile: Annotated[str, AfterValidator(_profile)] = "fr"
    accept_inferred_matrix: bool = False
    matrix_dir: Path | None = None
    wrong_size: Annotated[Literal["refuse", "warn"], _Lower] = "refuse"
    withdrawal_status: Annotated[Literal["entered-in-error", "superseded"], _Lower] = "entered-in-error"
    workers: Number = 1
    threads: Number = 8
    worker: bool = True
    log_level: Annotated[Literal["INFO", "DEBUG", "WARNING", "ERROR"], BeforeValidator(str.upper)] = "INFO"
    registration: bool = False
    registration_tokens: Texts = ()
    throttle_failures: Number = 10
    throttle_address_failures: Number = 60
    throttle_minutes: Number = 15
    throttle_sign_ins: Number = 1000
    proxies: Proxies = field(default_factory=Proxies)
    professional_level: LoginLevel = "eidas1"
    providers: tuple[Provider, ...] = ()
    upstream_places: Number = 2
    metrics_host: str = "127.0.0.1"
    metrics_port: Number | None = None
    mail: MailServer | None = None
    webhooks: bool = False
    audit_feed: AuditFeed | None = None
    brand: Brand | None = None
    security: SecurityContact | None = None
    time_zone: str = "Europe/Paris"
    request_rates: bool = True
    limits: Limits = field(default_factory=Limits)

    @property
    def is_production(self) -> bool:
        """Return whether people at other machines use this server."""
        return self.base_url.startswith("https:") and not self.demo

    @property
    def metrics_dir(self) -> Path:
        """Return the folder in which the processes of this server count; another server of the data has its own."""
        return self.data_dir / f"metrics-{self.metrics_port}"

    @property
    def fhir_base(self) -> str:
        """Return the absolute URL of the FHIR endpoint."""
        return f"{self.base_url}/fhir"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read and check the settings.

        Raises: SettingsError naming the first variable that is wrong.
        """
        _refuse_unknown(environment)
        try:
            settings = _read(environment)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        settings.refuse_unsafe()
        return settings

    def refuse_unsafe(self) -> None:
        """Raise SettingsError when the settings contradict each other or expose secrets."""
        if not is_url(self.base_url, "http", "https"):
            raise SettingsError("HABILIS_BASE_URL must be an absolute http or https address")
        address = urlsplit(self.base_url)
        is_local = address.hostname in _LOCAL_HOSTS
        if address.scheme == "http" and not is_local:
            raise SettingsError("HABILIS_BASE_URL must be https unless it names this very machine")
        if self.demo and not (is_local and self.host in _LOCAL_HOSTS):
            raise SettingsError("HABILIS_DEMO hands out tokens: it is refused on an address that others can reach")
        if self.store == "mongodb" and not self.mongodb_uri.get_secret_value():
            raise SettingsError("HABILIS_MONGODB_URI is required when HABILIS_STORE is mongodb")
        self._refuse_unsafe_registration()
        if self.metrics_port == self.port:
            raise SettingsError("HABILIS_METRICS_PORT must not be HABILIS_PORT: the public port shows no metrics")
        if self.demo and self.metrics_host not in _LOCAL_HOSTS:
            raise SettingsError("HABILIS_METRICS_HOST must name this machine in a demonstration")
        if not is_local and any(provider.is_local for provider in self.providers):
            text = "HABILIS_PSC_ISSUER and HABILIS_FRANCECONNECT_ISSUER must not name this machine"
            raise SettingsError(f"{text} when HABILIS_BASE_URL names another one")

    def _refuse_unsafe_registration(self) -> None:
        if not all(_SHA256.fullmatch(token) for token in self.registration_tokens):
            raise SettingsError("HABILIS_REGISTRATION_TOKENS holds SHA-256 values in lower-case hexadecimal")
        if self.registration and not self.registration_tokens:
            raise SettingsError("HABILIS_REGISTRATION_TOKENS is required when HABILIS_REGISTRATION is yes")

    def refuse_unsafe_serving(self) -> None:
        """Raise SettingsError when the settings are unsafe for serving; other commands may run with them."""
        if self.base_url.startswith("https:") and not self.proxies.stated:
            text = "HABILIS_TRUSTED_PROXIES must name the proxies that end TLS in front of this server, or be none"
            raise SettingsError(f"{text}: without it all clients could count as one address")


def _read(environment: Mapping[str, str]) -> Settings:
    """Read the settings; three defaults depend on other settings.

    Two factors are required of professionals on a server that others reach, any login on this machine or in a
    demonstration.
    """
    texts = READER.texts(environment)
    data_dir = texts.get("data_dir", "var")
    others = {
        "base_url": "",
        "data_dir": data_dir,
        "key_file": Path(data_dir, "keys.json"),
        "limits": limits.READER.read(limits.READER.texts(environment)),
        "proxies": proxies.read_proxies(environment),
        "providers": upstream.read_providers(environment),
        "mail": mail.read_mail_server(environment),
        "brand": brands.read_brand(environment),
        "security": security.read_security(environment),
        "audit_feed": audit_feed.read_audit_feed(environment),
    }
    settings = READER.read(others | texts)
    if not settings.base_url:
        settings = replace(settings, base_url=f"http://{settings.host}:{settings.port}")
    if settings.is_production and "professional_level" not in texts:
        settings = replace(settings, professional_level="eidas2")
    return settings


READER = Reader(
    Settings, limits=None, proxies=None, providers=None, mail=None, brand=None, security=None, audit_feed=None
)
_READERS: tuple[Reader[Any], ...] = (
    READER,
    limits.READER,
    proxies.READER,
    mail.READER,
    audit_feed.READER,
    brands.READER,
    security.READER,
    *upstream.READERS.values(),
)
VARIABLES = sorted({variable for reader in _READERS for variable in reader.variables.values()})


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """Refuse a variable that no setting has: the server would ignore a misspelt one, whatever it should protect.

    Raises: SettingsError naming it and the most similar setting.
    """
    given = [name for name in sorted(environment) if name.startswith(PREFIX) and not name.startswith(_OF_TESTS)]
    for name in (name for name in given if name not in VARIABLES):
        near = get_close_matches(name, VARIABLES, 1)
        hint = f"did you mean {near[0]}?" if near else "docs/configuration.md has them all"
        raise SettingsError(f"{name} is no setting of Habilis; {hint}")
