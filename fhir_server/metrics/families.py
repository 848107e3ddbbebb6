"""What is counted: every metric and every value of its labels, known before the first request.

Labels take their values from enums and from the registry, so that no request can add a series. No label names a person,
an id, software, an operation, a document or its type, and no label tells why a request was refused beyond what its
caller was told: docs/threat-model.md, "What the metrics tell".
Source: https://prometheus.io/docs/practices/naming/; docs/adr/0077-metrics-in-shared-tables.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cached_property
from itertools import product
from math import prod

from consent_rules.vocabulary import Basis
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category
from fhir_server.registry import REGISTRY, Interaction

OTHER, NONE, BUNDLE = "other", "none", "Bundle"
"""Values of labels: what is in no list, what does not apply, and the one type that has no row in the registry."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of a histogram, in seconds."""


class Kind(Enum):
    """How a metric behaves: a counter only grows; a gauge is what is now; a histogram sorts durations by length."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class LaneName(StrEnum):
    """A queue at the front of the application (`http.admission`)."""

    FHIR = "fhir"
    PAGES = "pages"
    ASSETS = "assets"
    HEALTH = "health"
    LARGE = "large"


class Interface(StrEnum):
    """What a request that is no FHIR interaction is counted as."""

    CAPABILITIES = "capabilities"
    OAUTH = "oauth"
    PAGE = "page"
    ASSET = "asset"
    PROBE = "probe"


class Outcome(StrEnum):
    """How an interaction ended, for whoever asked: permitted and done, or not."""

    DONE = "done"
    REFUSED = "refused"


class Run(StrEnum):
    """How work of the worker ended. `DONE` counts periodic work only: other work may follow from a patient's choice."""

    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(frozen=True)
class Family:
    """One metric, with a series for each combination of the values of its labels.

    name: without the suffix of its kind. text: what it is, for people. start: its first slot in a table.
    """

    name: str
    kind: Kind
    text: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start: int = 0

    @cached_property
    def _places(self) -> dict[tuple[str, ...], int]:
        return {
            values: self.start + number * self.width for number, values in enumerate(product(*self.labels.values()))
        }

    @property
    def width(self) -> int:
        """How many slots a series has: a histogram has one for each bucket, one above all bounds, and the sum."""
        return len(BOUNDS) + 2 if self.kind is Kind.HISTOGRAM else 1

    @property
    def size(self) -> int:
        """How many slots all series have."""
        return self.width * prod(len(values) for values in self.labels.values())

    def slot(self, *values: str) -> int:
        """Return the first slot of a series; a value that its label does not have counts as `other`.

        Raises: KeyError when the label has no value `other`.
        """
        known = (value if value in label else OTHER for value, label in zip(values, self.labels.values(), strict=True))
        return self._places[tuple(known)]

    def series(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """Return the values of the labels of every series, and its first slot."""
        yield from self._places.items()


_INTERACTIONS = (*Interaction, *Interface, OTHER)
_STATUSES = tuple(str(code) for code in (400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415, 422))
_WATCHED = (
    EventKind.RESOURCE_READ,
    EventKind.RESOURCES_SEARCHED,
    EventKind.DOCUMENT_OPENED,
    EventKind.DOCUMENTS_PUBLISHED,
    EventKind.GLASS_BROKEN,
    EventKind.REGULATION_OPENED,
    EventKind.SIGNED_IN,
    EventKind.APP_LET_IN,
    EventKind.TOKEN_ISSUED,
)
"""Kinds that are counted by name; no choice of a patient is among them (docs/threat-model.md)."""
_FAILURES = (*_STATUSES, "429", "431", "500", "503", OTHER)
FAMILIES: list[Family] = []
"""All metrics, in the order in which they are shown; a table has a slot more, which holds when the server started."""


def _family(name: str, kind: Kind, text: str, **labels: tuple[str, ...]) -> Family:
    """Add a metric, with the slots that follow those of the metric before."""
    start = FAMILIES[-1].start + FAMILIES[-1].size if FAMILIES else 1
    values = {label: tuple(str(value) for value in known) for label, known in labels.items()}
    FAMILIES.append(Family(f"habilis_{name}", kind, text, values, start))
    return FAMILIES[-1]


REQUESTS = _family(
    "requests",
    Kind.COUNTER,
    "Answers, by interaction, resource type and first digit of the status.",
    interaction=_INTERACTIONS,
    type=(*REGISTRY, BUNDLE, NONE, OTHER),
    status=("2xx", "3xx", "4xx", "5xx", OTHER),
)
REQUEST_SECONDS = _family(
    "request_seconds",
    Kind.HISTOGRAM,
    "Time from the turn of a request to its answer.",
    interaction=_INTERACTIONS,
)
FAILURES = _family("failures", Kind.COUNTER, "Answers with a status of 400 and above.", status=_FAILURES)
AT_THE_DOOR = _family(
    "refused_at_the_door",
    Kind.COUNTER,
    "Requests refused before their turn: too slow, too large, too many.",
    status=_FAILURES,
)
REFUSALS = _family(
    "refusals", Kind.COUNTER, "Refused requests, by the category of the answer.", category=(*Category, OTHER)
)
DECISIONS = _family(
    "decisions",
    Kind.COUNTER,
    "Audited interactions, by outcome, and by the ground of the access when it was permitted.",
    basis=(*Basis, NONE, OTHER),
    outcome=tuple(Outcome),
)
EVENTS = _family(
    "events",
    Kind.COUNTER,
    "Audited events of the kinds that an operator watches, by outcome.",
    event=(*_WATCHED, OTHER),
    outcome=tuple(Outcome),
)
WAITING = _family("requests_waiting", Kind.GAUGE, "Requests that wait for their turn.", lane=tuple(LaneName))
WAIT_SECONDS = _family(
    "wait_seconds",
    Kind.HISTOGRAM,
    "Time for which requests that had to wait waited for their turn.",
    lane=tuple(LaneName),
)
COMMIT_SECONDS = _family("commit_seconds", Kind.HISTOGRAM, "Time of a transaction of the store, sync included.")
SYNC_SECONDS = _family("sync_seconds", Kind.HISTOGRAM, "Time of the sync of a transaction (SQLite).")
CHANGES = _family("changes", Kind.COUNTER, "Changes written; several may share a transaction.")
FAILED_COMMITS = _family("failed_commits", Kind.COUNTER, "Transactions that the store did not confirm.")
WORKER_RUNS = _family(
    "worker_runs",
    Kind.COUNTER,
    "Periodic work that the worker has done; tries of any message that failed, the last one of a dead letter apart.",
    outcome=tuple(Run),
)
WRITER_QUEUE = _family("writer_queue", Kind.GAUGE, "Changes that wait for the writer (SQLite).")
OUTBOX_READY, OUTBOX_LAG = "habilis_outbox_ready", "habilis_outbox_lag_seconds"
DEAD_LETTERS = "habilis_dead_letters"
OF_STORE = {
    OUTBOX_READY: "Messages of the outbox to be handled now, in tens.",
    OUTBOX_LAG: "For how long the oldest of these messages could have been handled, in tens of seconds.",
    DEAD_LETTERS: "Messages of the outbox that no worker tries any more.",
}
"""Gauges that no process counts: the store is asked for them whenever somebody reads the metrics."""
SLOTS = FAMILIES[-1].start + FAMILIES[-1].size
"""How many slots a table has."""
