"""A clock that stands still and ids that are counted, for every module of ours that is loaded.

What calls `datetime.now` or `uuid4` is found by its source text,
so that no module is named here and all may be renamed.
"""

import inspect
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from types import ModuleType

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OURS = ("consent_rules", "fhir_server", "seed")
_LOOKS_AT_THE_CLOCK = "datetime.now("
_seen: set[str] = set()
_numbers = count(1)
_true_uuid4 = uuid.uuid4


class FrozenClock:
    """The one clock: each look moves it by a microsecond, and only `advance` by more."""

    at: datetime = START

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def advance(self, **amount: float) -> None:
        """Go on by an amount, to a whole second."""
        self.at = self.at.replace(microsecond=0) + timedelta(**amount)

    def reset(self) -> None:
        self.at = START


CLOCK = FrozenClock()


class _Frozen(datetime):
    """The class `datetime`, whose `now` is that of the frozen clock; it makes plain instants."""

    def __new__(cls, *fields: int, **more: object) -> datetime:
        return datetime(*fields, **more)  # type: ignore[arg-type]  # noqa: DTZ001 - as asked

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        found = CLOCK.now()
        return found.astimezone(tz) if tz else found.replace(tzinfo=None)


def counted_uuid4() -> uuid.UUID:
    """Return the next id: of the shape of a random one, greater than each before."""
    return uuid.UUID(f"{0xA0000000 + next(_numbers):08x}-0000-4000-8000-000000000000")


def freeze(*packages: str) -> None:
    """Freeze what is loaded of our packages, and of others by the beginning of their names."""
    for module in list(_unseen((*OURS, *packages))):
        for name, value in list(vars(module).items()):
            if value is _true_uuid4:
                setattr(module, name, counted_uuid4)
            elif value is datetime and _LOOKS_AT_THE_CLOCK in _source(module):
                setattr(module, name, _Frozen)


def _unseen(packages: tuple[str, ...]) -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        is_ours = any(name == package or name.startswith(f"{package}.") for package in packages)
        if is_ours and name not in _seen and module is not None:
            _seen.add(name)
            yield module


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""
