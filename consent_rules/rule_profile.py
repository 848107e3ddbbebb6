"""Rule profiles: data that settle every open question of the law, one file per profile, no code per country.

A profile sets every key of `RuleProfile`; a missing or unknown key is an error.
"""

import re
import tomllib
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from consent_rules.vocabulary import Proof

T = TypeVar("T")
_SPAN = re.compile(r"(\d+)(h|min|d|w|mo|y)")
_UNITS = {"h": timedelta(hours=1), "min": timedelta(minutes=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MONTHS = {"mo": 1, "y": 12}
_DATA = Path(__file__).parent / "data"
LAST = datetime.max.replace(tzinfo=UTC)
"""The last instant that can be written; a period that would end later ends then."""


class ProfileError(ValueError):
    """A profile that cannot be used; the text names the key."""


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as the law states it: calendar months, or an exact length."""

    months: int = 0
    exact: timedelta = timedelta()

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Read "6w", "1mo", "10y", "24h", "15min" or "90d"."""
        match = _SPAN.fullmatch(text)
        if not match:
            raise ProfileError(f"`{text}` is no length of time such as 24h, 6w, 1mo or 10y")
        count, unit = int(match[1]), match[2]
        return cls(months=count * _MONTHS[unit]) if unit in _MONTHS else cls(exact=count * _UNITS[unit])

    def after(self, start: datetime) -> datetime:
        """Return the instant at which the length has passed, at most `LAST`; a shorter month counts to its last day."""
        if not self.months:
            return LAST if start > LAST - self.exact else start + self.exact
        years, month = divmod(start.month - 1 + self.months, 12)
        year, month = start.year + years, month + 1
        if year > MAXYEAR:
            return LAST
        return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


@dataclass(frozen=True, slots=True)
class Ceilings:
    """How much one person, client or establishment may do (V10, V11, V13); data/countries/fr.toml explains each field.

    A name that ends in `_each` is multiplied by the active professionals of an establishment or client.
    """

    spaces_an_hour: int
    spaces_a_day: int
    spaces_a_day_each: int
    identities_an_hour: int
    identities_an_hour_each: int
    emergency_window: Span
    emergency_second_factor: int
    emergency_officer: int
    emergency_usual_days: int
    emergency_usual_window: Span
    deposits_an_hour: int
    admissions_a_day_each: int
    cards_a_day: int
    failed_codes_an_hour: int
    failed_codes_an_hour_in_all: int
    requests_a_second: int
    requests_a_minute: int
    client_requests_a_minute: int
    doubled: int
    doublings_a_day: int
    breaker_days: int
    breaker_window: Span
    breaker_contests: int


@dataclass(frozen=True, slots=True)
class Detection:
    """When an access that nobody explains calls the officer (V19, V20); data/countries/fr.toml explains each key.

    points: of ties between people and of oddities of one access, by their codes, in bits. `enough_bits` make a hit.
    """

    settles: Span
    evidence: Span
    team: Span
    on_duty: Span
    urgent: Span
    usual: Span
    rare_name: int
    enough_bits: int
    seldom_percent: int
    few_strays: int
    celebrity_units: int
    celebrity_bits: int
    off_duty_bits: int
    neighbours: int
    hour_floor: int
    day_floor: int
    week_floor: int
    deviations: int
    emergencies_floor: int
    emergencies_percent: int
    refusals_floor: int
    dormant: Span
    after_end: Span
    told: Span
    points: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RuleProfile:
    """The answers to the open questions; data/countries/fr.toml says what each key means and where it comes from."""

    name: str
    notice: Span
    archive: Span
    erasure: Span
    suspension: Span
    information_of_sealed: Span
    sealed: Span
    majority_age: int
    own_account_age: int
    minor_limits_representatives: bool
    carers_per_patient: int
    patients_per_carer: int
    named_consent: Span
    longest_named_consent: Span
    invitation: Span
    longest_invitation: Span
    care_of_recipient: Span
    care_ahead: Span
    facts_of_care: int
    approval_waits: Span
    declared_team_consent: Span
    consent_certificate_kinds: frozenset[str]
    clock_skew: Span
    break_glass: Span
    regulation: Span
    review: Span
    case_decision: Span
    regulation_professions: frozenset[str]
    declared_physician_professions: frozenset[str]
    declared_physician_sees_hidden: bool
    administrator_sees_hidden: bool
    hidden_in_emergency_offered: bool
    non_health_roles: bool
    occupational_physicians: bool
    hidden_and_sealed_together: bool
    notify_every_access: bool
    care_history_kinds: frozenset[str]
    advance_directive_kinds: frozenset[str]
    patient_formats: frozenset[str]
    patient_file_size: int
    withdrawn_by: frozenset[str]
    proofs: Mapping[Proof, Span]
    ceilings: Ceilings
    detection: Detection


def parse(text: str) -> RuleProfile:
    """Read a profile from TOML.

    Raises: ProfileError when the text is no TOML, or when a key is missing, unknown or of the wrong kind.
    """
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ProfileError(f"this is no TOML: {problem}") from problem
    return _filled(RuleProfile, "", values)


@cache
def profile(name: str) -> RuleProfile:
    """Return a packaged profile by its name, such as "fr".

    Raises: ProfileError when no profile has that name.
    """
    path = _DATA / "countries" / f"{name}.toml"
    if name not in names():
        raise ProfileError(f"there is no rule profile `{name}`; there are {', '.join(names())}")
    return parse(path.read_text("utf-8"))


def from_file(path: Path) -> RuleProfile:
    """Return the profile in a file: that of another country or of one deployment.

    Raises: ProfileError when the file cannot be read, and as `parse`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ProfileError(f"{path} cannot be read: {problem}") from problem
    return parse(text)


def names() -> tuple[str, ...]:
    """Return the names of the packaged profiles."""
    return tuple(sorted(path.stem for path in (_DATA / "countries").glob("*.toml")))


def _filled(kind: type[T], table: str, values: Mapping[str, Any]) -> T:
    """Build a dataclass from a table. table: "ceilings." before the names of its keys; "" for the profile itself."""
    wanted = {item.name: _READERS[str(item.type)] for item in fields(kind)}  # type: ignore[arg-type]
    for key in sorted(set(wanted) ^ set(values)):
        raise ProfileError(f"profile key `{table}{key}` is {'missing' if key in wanted else 'unknown'}")
    return kind(**{key: read(f"{table}{key}", values[key]) for key, read in wanted.items()})


def _checked(kind: type, key: str, value: Any) -> Any:  # noqa: ANN401 - any TOML value
    if type(value) is not kind:
        raise ProfileError(f"profile key `{key}` must be {kind.__name__}")
    return value


def _points(key: str, value: Any) -> Mapping[str, int]:  # noqa: ANN401 - any TOML value
    return MappingProxyType(
        {name: _checked(int, f"{key}.{name}", one) for name, one in _checked(dict, key, value).items()}
    )


def _proofs(key: str, value: Any) -> Mapping[Proof, Span]:  # noqa: ANN401 - any TOML value
    try:
        return MappingProxyType({Proof(name): Span.parse(text) for name, text in _checked(dict, key, value).items()})
    except ValueError as problem:
        raise ProfileError(f"profile key `{key}`: {problem}") from problem


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    str(str): lambda key, value: _checked(str, key, value),
    str(int): lambda key, value: _checked(int, key, value),
    str(bool): lambda key, value: _checked(bool, key, value),
    str(Span): lambda key, value: Span.parse(_checked(str, key, value)),
    str(frozenset[str]): lambda key, value: frozenset(_checked(list, key, value)),
    str(Mapping[Proof, Span]): _proofs,
    str(Mapping[str, int]): _points,
    str(Detection): lambda key, value: _filled(Detection, f"{key}.", _checked(dict, key, value)),
    str(Ceilings): lambda key, value: _filled(Ceilings, f"{key}.", _checked(dict, key, value)),
}
