"""Who entered one space in a day without being expected there, in bounded state, for the rule about celebrities.

Noting the same entry twice changes nothing. Instants are whole hours since 1970.
Source: statement V20 (docs/rules-index.csv).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fhir_server.domain.detection.conduct import DAY

_MOST = 100
"""The most readers that are remembered; the earliest are forgotten first."""


@dataclass(slots=True)
class Strangers:
    """The unexpected readers of one space in the last day.

    entered: by person, the hour of the latest surprising entry, the unit, and the greatest surprise in bits.
    """

    entered: dict[str, tuple[int, str | None, float]] = field(default_factory=dict)

    def note(self, person: str, hour: int, unit: str | None, bits: float) -> None:
        """Note an entry, and forget those of a day before it."""
        before, _, most = self.entered.get(person, (hour, unit, 0.0))
        if before <= hour - DAY:
            most = 0.0
        self.entered[person] = max(before, hour), unit, max(most, bits)
        newest = sorted(self.entered.items(), key=lambda one: one[1][0])[-_MOST:]
        self.entered = {who: entry for who, entry in newest if entry[0] > hour - DAY}

    def drop(self, person: str) -> None:
        """Forget a reader whose entry somebody has explained."""
        self.entered.pop(person, None)

    def drop_unit(self, unit: str, but: str) -> None:
        """Forget the readers of a unit that is known to care for the patient, except `but`, a person who shows it."""
        self.entered = {who: one for who, one in self.entered.items() if one[1] != unit or who == but}

    def readers(self) -> Iterator[tuple[str | None, float]]:
        """Yield the unit and the surprise of each reader."""
        yield from ((unit, bits) for _, unit, bits in self.entered.values())
