"""What detection remembers of actors, professions and spaces: sealed entries of the vault, bounded, and forgotten.

An entry is written before the commit that handles its message. A message that is handled again changes nothing,
because spaces are counted once; a case has its id here, so that it is stored once.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import msgspec

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.detection.conduct import Conduct, hour_of
from fhir_server.domain.detection.peers import Peers
from fhir_server.domain.detection.strangers import Strangers
from fhir_server.ports.store import StoreConflict
from fhir_server.ports.vault import Secret

T = TypeVar("T", bound="Actor | Peers | SpaceMemory | Name")
_KEPT = timedelta(days=180)
_SPACE_KEPT = timedelta(days=60)


@dataclass(slots=True)
class Actor:
    """One person in one establishment. cases: ids of the cases about the actor, by rule and space, with their hour."""

    conduct: Conduct = field(default_factory=Conduct)
    cases: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class SpaceMemory:
    """One space. told: hour of the last notice. cases: as in `Actor`."""

    strangers: Strangers = field(default_factory=Strangers)
    told: int | None = None
    cases: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Name:
    """Spaces whose holder bears a name, as detection has seen them; only as many as show that the name is not rare."""

    spaces: list[str] = field(default_factory=list)

    def note(self, space: str, enough: int) -> None:
        """Note a bearer."""
        if space not in self.spaces and len(self.spaces) <= enough:
            self.spaces.append(space)

    def is_rare(self, most: int) -> bool:
        """Tell whether at most so many people bear the name."""
        return len(self.spaces) <= most


_NOTHING = (Actor(), Peers(), SpaceMemory(), Name())
"""What is remembered at first, before anything was noted."""


class Memory:
    """The entries that one message needs; `keep` stores those that were taken."""

    def __init__(self, runtime: Runtime) -> None:
        """Begin with nothing."""
        self._vault, self._now = runtime.ports.vault, runtime.now()
        self._taken: dict[tuple[str, str], tuple[Secret | None, Actor | Peers | SpaceMemory | Name]] = {}

    def actor(self, person: str, where: str | None) -> Actor:
        """Return what is remembered of a person in an establishment."""
        found = self._take("detection-actor", f"{person} {where or ''}", Actor)
        found.conduct.forget(hour_of(self._now))
        return found

    def peers(self, profession: str | None, where: str | None) -> Peers:
        """Return what is usual for a profession in an establishment."""
        return self._take("detection-peers", f"{profession or ''} {where or ''}", Peers)

    def space(self, patient: str) -> SpaceMemory:
        """Return what is remembered of a space."""
        return self._take("detection-space", patient, SpaceMemory)

    def name(self, name: str) -> Name:
        """Return who bears a name."""
        return self._take("detection-name", name, Name)

    def keep(self) -> None:
        """Store what was taken, unless there is nothing to remember.

        Raises: StoreConflict when another worker has stored something meanwhile.
        """
        for (kind, key), (before, value) in self._taken.items():
            expires = self._now + (_SPACE_KEPT if isinstance(value, SpaceMemory) else _KEPT)
            entry = Secret(kind, key, msgspec.json.encode(value), "", expires)
            if before is None and value in _NOTHING:
                continue
            if before is None:
                is_kept = self._vault.add(entry)
            elif before.value == entry.value:
                continue
            else:
                is_kept = self._vault.replace(replace(entry, revision=before.revision))
            if not is_kept:
                raise StoreConflict

    def _take(self, kind: str, key: str, of: type[T]) -> T:
        if (kind, key) not in self._taken:
            entry = self._vault.get(kind, key, self._now)
            value: T = msgspec.json.decode(entry.value, type=of) if entry else of()
            self._taken[kind, key] = entry, value
        found = self._taken[kind, key][1]
        if not isinstance(found, of):
            raise TypeError(kind)
        return found
