"""The metrics of all processes as text for Prometheus, or as OpenMetrics when the client asks for it.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from fhir_server.metrics.families import BOUNDS, FAMILIES, OF_STORE, Family, Kind
from fhir_server.metrics.tables import Counted, read_all

_MICROS = 1_000_000
_BUCKETS = (*(str(bound) for bound in BOUNDS), "+Inf")

StoreGauges = Callable[[], Mapping[str, float]]
"""Reads from the store, and returns gauges by their names in `OF_STORE`; those that it cannot tell are missing."""


def written(folder: Path, of_store: StoreGauges, accept: str) -> tuple[str, bytes]:
    """Return the media type and the text of all metrics. accept: of the request."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(folder, of_store))
    encode, media_type = choose_encoder(accept)
    return media_type, encode(registry)


class _Collected(Collector):
    """What the tables of a folder hold."""

    def __init__(self, folder: Path, of_store: StoreGauges) -> None:
        self._folder = folder
        self._of_store = of_store

    def collect(self) -> Iterator[Metric]:
        """Return each metric, added up over all processes."""
        counted = list(read_all(self._folder))
        yield from _about(counted)
        live = [one for one in counted if one.is_live]
        for family in FAMILIES:
            yield _WRITERS[family.kind](family, live if family.kind is Kind.GAUGE else counted)
        for name, value in self._of_store().items():
            yield GaugeMetricFamily(name, OF_STORE[name], value=value)


def _about(counted: list[Counted]) -> Iterator[Metric]:
    build = GaugeMetricFamily("habilis_build_info", "The version of the program.", labels=["version"])
    build.add_metric([version("habilis")], 1)
    yield build
    started = min((one.started for one in counted), default=0)
    yield GaugeMetricFamily("process_start_time_seconds", "When the server was started, since 1970.", value=started)
    live = sum(one.is_live for one in counted)
    yield GaugeMetricFamily("habilis_processes", "Processes that serve requests now.", value=live)


def _added(slot: int, counted: list[Counted]) -> int:
    return sum(one.slots[slot] for one in counted)


def _counter(family: Family, counted: list[Counted]) -> Metric:
    """Return a counter; a counter with labels leaves out the series that have counted nothing."""
    metric = CounterMetricFamily(family.name, family.text, labels=list(family.labels))
    for values, slot in family.series():
        found = _added(slot, counted)
        if found or not family.labels:
            metric.add_metric(values, found)
    return metric


def _gauge(family: Family, counted: list[Counted]) -> Metric:
    metric = GaugeMetricFamily(family.name, family.text, labels=list(family.labels))
    for values, slot in family.series():
        metric.add_metric(values, _added(slot, counted))
    return metric


def _histogram(family: Family, counted: list[Counted]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.text, labels=list(family.labels))
    for values, slot in family.series():
        counts = list(accumulate(_added(slot + place, counted) for place in range(len(_BUCKETS))))
        if counts[-1] or not family.labels:
            buckets = list(zip(_BUCKETS, counts, strict=True))
            metric.add_metric(values, buckets, _added(slot + len(_BUCKETS), counted) / _MICROS)
    return metric


_WRITERS: dict[Kind, Callable[[Family, list[Counted]], Metric]] = {
    Kind.COUNTER: _counter,
    Kind.GAUGE: _gauge,
    Kind.HISTOGRAM: _histogram,
}
