"""Settings from HABILIS_* environment variables, parsed once; the server refuses to start with unsafe combinations.

docs/configuration.md has a heading for each variable; a test compares the two.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from fhir_server.settings.brands import Brand, read_brand
from fhir_server.settings.limits import Limits, read_limits
from fhir_server.settings.proxies import Proxies, read_proxies
from fhir_server.settings.upstream import Provider, read_providers

StoreKind = Literal["sqlite", "mongodb"]
SizeRule = Literal["refuse", "warn"]
LoginLevel = Literal["eidas1", "eidas2", "eidas3"]
_Choice = TypeVar("_Choice", bound=str)
_STORES: tuple[StoreKind, ...] = ("sqlite", "mongodb")
_SIZE_RULES: tuple[SizeRule, ...] = ("refuse", "warn")
_LEVELS: tuple[LoginLevel, ...] = ("eidas1", "eidas2", "eidas3")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GREATEST = 65_535
_DIGITS = 12
_PREFIX = "HABILIS_"
_OF_TESTS = f"{_PREFIX}TEST_"
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class SettingsError(Exception):
    """A setting is missing, malformed or unsafe; the text names the variable and says what to do."""


class Secret(str):
    """A text whose representation does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide the value."""
        return "***"


@dataclass(frozen=True, slots=True)
class Settings:
    """One server's configuration.

    base_url: public address without a final slash; FHIR is served below /fhir. key_file: the key-encryption keys.
    demo: serve the invented people with ready-made tokens; refused on an address that others can reach.
    workers: processes. threads: of each process. wrong_size: refuse or warn when an attachment's size is wrong.
    registration: whether clients may register themselves. registration_tokens: SHA-256 (hex) of the initial tokens.
    throttle_*: failures allowed for one name and for one address within this many minutes, and sign-ins that new
        browsers may begin.
    proxies: whose forwarded headers are believed, and which headers.
    professional_level: the weakest login with which a professional may use the FHIR endpoint.
    providers: where people may sign in instead of here. upstream_places: requests to each provider at once.
    brand: how apps show the service. time_zone: the time zone of pages. limits: what one request may cost.
    """

    base_url: str
    data_dir: Path
    key_file: Path
    store: StoreKind = "sqlite"
    mongodb_uri: Secret = field(default=Secret(""))
    mongodb_database: str = "habilis"
    demo: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    rule_profile: str = "fr"
    accept_inferred_matrix: bool = False
    matrix_dir: Path | None = None
    wrong_size: SizeRule = "refuse"
    workers: int = 1
    threads: int = 8
    log_level: str = "INFO"
    registration: bool = False
    registration_tokens: tuple[str, ...] = ()
    throttle_failures: int = 10
    throttle_address_failures: int = 60
    throttle_minutes: int = 15
    throttle_sign_ins: int = 1000
    proxies: Proxies = field(default_factory=Proxies)
    professional_level: LoginLevel = "eidas1"
    providers: tuple[Provider, ...] = ()
    upstream_places: int = 2
    brand: Brand | None = None
    time_zone: str = "Europe/Paris"
    limits: Limits = field(default_factory=Limits)

    @property
    def is_production(self) -> bool:
        """Return whether people at other machines use this server."""
        return self.base_url.startswith("https:") and not self.demo

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
        read = _Reader(environment)
        port = read.number("PORT", 8080)
        host = read.text("HOST", "127.0.0.1")
        data_dir = Path(read.text("DATA_DIR", "var"))
        settings = cls(
            base_url=read.text("BASE_URL", f"http://{host}:{port}").rstrip("/"),
            data_dir=data_dir,
            key_file=Path(read.text("KEY_FILE", str(data_dir / "keys.json"))),
            store=read.choice("STORE", _STORES),
            mongodb_uri=Secret(read.text("MONGODB_URI", "")),
            mongodb_database=read.text("MONGODB_DATABASE", "habilis"),
            demo=read.flag("DEMO"),
            host=host,
            port=port,
            rule_profile=read.name_or_file("RULE_PROFILE", ("fr", "ehds"), ".toml"),
            accept_inferred_matrix=read.flag("ACCEPT_INFERRED_MATRIX"),
            matrix_dir=read.path("MATRIX_DIR"),
            wrong_size=read.choice("WRONG_SIZE", _SIZE_RULES),
            workers=read.number("WORKERS", 1),
            threads=read.number("THREADS", 8),
            log_level=read.choice("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")),
            registration=read.flag("REGISTRATION"),
            registration_tokens=read.texts("REGISTRATION_TOKENS"),
            throttle_failures=read.number("THROTTLE_FAILURES", 10),
            throttle_address_failures=read.number("THROTTLE_ADDRESS_FAILURES", 60),
            throttle_minutes=read.number("THROTTLE_MINUTES", 15),
            throttle_sign_ins=read.number("THROTTLE_SIGN_INS", 1000),
            proxies=read.proxies(),
            professional_level=read.choice("PROFESSIONAL_LEVEL", _LEVELS, read.least_level()),
            providers=read.providers(),
            upstream_places=read.number("UPSTREAM_PLACES", 2),
            brand=read.brand(),
            time_zone=read.text("TIME_ZONE", "Europe/Paris"),
            limits=read_limits(read),
        )
        settings.refuse_unsafe()
        return settings

    def refuse_unsafe(self) -> None:
        """Raise SettingsError when the settings contradict each other or expose secrets."""
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise SettingsError("HABILIS_BASE_URL must be an absolute http or https address")
        is_local = address.hostname in _LOCAL_HOSTS
        if address.scheme == "http" and not is_local:
            raise SettingsError("HABILIS_BASE_URL must be https unless it names this very machine")
        if self.demo and not (is_local and self.host in _LOCAL_HOSTS):
            raise SettingsError("HABILIS_DEMO hands out tokens: it is refused on an address that others can reach")
        if self.store == "mongodb" and not self.mongodb_uri:
            raise SettingsError("HABILIS_MONGODB_URI is required when HABILIS_STORE is mongodb")
        self._refuse_unsafe_registration()
        if not is_local and any(provider.is_local for provider in self.providers):
            text = "HABILIS_PSC_ISSUER and HABILIS_FRANCECONNECT_ISSUER must not name this machine"
            raise SettingsError(f"{text} when HABILIS_BASE_URL names another one")

    def _refuse_unsafe_registration(self) -> None:
        if not all(_SHA256.fullmatch(token) for token in self.registration_tokens):
            raise SettingsError("HABILIS_REGISTRATION_TOKENS holds SHA-256 values in lower-case hexadecimal")
        if self.registration and not self.registration_tokens:
            raise SettingsError("HABILIS_REGISTRATION_TOKENS is required when HABILIS_REGISTRATION is yes")

    def refuse_unsafe_serving(self) -> None:
        """Raise SettingsError for settings that matter to the server only, not to other commands."""
        if self.base_url.startswith("https:") and not self.proxies.stated:
            text = "HABILIS_TRUSTED_PROXIES must name the proxies that end TLS in front of this server, or be none"
            raise SettingsError(f"{text}: without it all clients could count as one address")


class _Asked(dict[str, str]):
    """An empty environment that remembers which names were read."""

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override] # one value for all
        """Remember the name."""
        self[key] = ""
        return default


@cache
def _known() -> frozenset[str]:
    asked = _Asked()
    Settings.from_environment(asked)
    return frozenset(asked)


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """Refuse a variable that no setting has: the server would ignore a misspelt one, whatever it should protect.

    Raises: SettingsError naming it and the most similar setting.
    """
    given = [name for name in sorted(environment) if name.startswith(_PREFIX) and not name.startswith(_OF_TESTS)]
    for name in (name for name in given if name not in _known()):
        near = get_close_matches(name, sorted(_known()), 1)
        hint = f"did you mean {near[0]}?" if near else "docs/configuration.md has them all"
        raise SettingsError(f"{name} is no setting of Habilis; {hint}")


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        return self.environment.get(f"HABILIS_{name}", "").strip() or default

    def path(self, name: str) -> Path | None:
        given = self.text(name, "")
        return Path(given) if given else None

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(item.strip() for item in self.text(name, "").split(",") if item.strip())

    def flag(self, name: str) -> bool:
        value = self.text(name, "no").lower()
        if value not in {"yes", "no", "true", "false", "1", "0"}:
            raise SettingsError(f"HABILIS_{name} must be yes or no")
        return value in {"yes", "true", "1"}

    def number(self, name: str, default: int, greatest: int = _GREATEST) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS and 0 < int(value) <= greatest):
            raise SettingsError(f"HABILIS_{name} must be a whole number from 1 to {greatest}")
        return int(value)

    def brand(self) -> Brand | None:
        try:
            return read_brand(self)
        except ValueError as error:
            raise SettingsError(str(error)) from None

    def proxies(self) -> Proxies:
        try:
            return read_proxies(self)
        except ValueError as error:
            raise SettingsError(str(error)) from None

    def providers(self) -> tuple[Provider, ...]:
        try:
            return read_providers(self)
        except ValueError as error:
            raise SettingsError(str(error)) from None

    def name_or_file(self, name: str, allowed: tuple[str, ...], ending: str) -> str:
        value = self.text(name, allowed[0])
        if value.lower() in allowed:
            return value.lower()
        if not value.endswith(ending):
            raise SettingsError(f"HABILIS_{name} must be one of: {', '.join(allowed)}, or the path of a {ending} file")
        return value

    def least_level(self) -> LoginLevel:
        """Return two factors for a server that others reach, any login for one on this machine or a demonstration."""
        return "eidas2" if self.text("BASE_URL", "").startswith("https:") and not self.flag("DEMO") else "eidas1"

    def choice(self, name: str, allowed: tuple[_Choice, ...], default: str = "") -> _Choice:
        value = self.text(name, default or allowed[0])
        found = next((item for item in allowed if item.lower() == value.lower()), None)
        if found is None:
            raise SettingsError(f"HABILIS_{name} must be one of: {', '.join(allowed)}")
        return found
