"""The tables of docs/performance.md."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Figures

BEGIN, END = "<!-- measured by make bench: begin -->", "<!-- end -->"
# Answers a second that are aimed at, with 16 connections.
TARGETS = {"read": 1800, "patient + type": 1400, "page of 20": 1000, "ITI-65 publish": 350}
LOADED = 2500
RESOURCES_OF_A_DOCUMENT = 2.1
"""Itself, its content, and a tenth of a submission set."""
_COLUMNS = (
    "request", "workers", "connections", "answers/s", "aim",
    "p50 ms", "p95 ms", "p99 ms", "CPU ms", "memory MB", "refused",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Something measured that no closed loop of equal requests measures. aim: "" for none."""

    name: str
    measured: str
    aim: str = ""

    def __str__(self) -> str:
        """Write one row of the table."""
        return f"| {self.name} | {self.measured} | {self.aim} |"


def busy() -> str:
    """Say how busy the machine is: how many programs have wanted a processor in the last minute."""
    return f"load {os.getloadavg()[0]:.1f}"


@dataclass(frozen=True)
class Conditions:
    """Under what it was measured. loaded_per_second: 0 when the data were there already."""

    patients: int
    documents: int
    loaded_per_second: float
    start_seconds: float
    bytes_on_disk: int
    machine: str
    day: str


def line(figures: Figures) -> str:
    """Return one row of the table."""
    target = TARGETS.get(figures.name) if figures.connections == 16 else None
    cells = (
        figures.name,
        figures.workers,
        figures.connections,
        f"{figures.per_second:,.0f}",
        f"{target:,}" if target else "",
        f"{figures.p50:.1f}",
        f"{figures.p95:.1f}",
        f"{figures.p99:.1f}",
        f"{figures.cpu_ms:.2f}",
        f"{figures.memory_mb:.0f}",
        figures.refused or "",
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def tables(figures: Sequence[Figures], rows: Sequence[Row], micro: Sequence[str], conditions: Conditions) -> str:
    """Return all that was measured, as Markdown."""
    told = (
        f"Measured {conditions.day} on {conditions.machine}",
        f"{conditions.patients:,} patients × {conditions.documents} documents",
        _loaded(conditions.loaded_per_second) if conditions.loaded_per_second else "",
        f"{conditions.bytes_on_disk / 1e6:,.0f} MB on disk",
        f"first answer {conditions.start_seconds:.2f} s after the start",
    )
    return "\n".join([
        "; ".join(part for part in told if part) + ".",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "| --- " * len(_COLUMNS) + "|",
        *(line(row) for row in figures),
        "",
        "| beside requests, one process | measured | aim |",
        "| --- | --- | --- |",
        *map(str, rows),
        "",
        "| part, alone | time |",
        "| --- | --- |",
        *micro,
    ])  # fmt: skip


def _loaded(documents: float) -> str:
    resources = documents * RESOURCES_OF_A_DOCUMENT
    return f"loaded at {documents:,.0f} documents/s ({resources:,.0f} resources/s, aim {LOADED:,})"


def write(page: Path, measured: str) -> None:
    """Put the tables where the page keeps them."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}", encoding="utf-8")
