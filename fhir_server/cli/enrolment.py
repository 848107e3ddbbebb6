"""`habilis enrol`: announce the spaces of the insured persons of a file.

Source: docs/operations.md, "Enrolling insured persons".
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from fhir_server.application.directory import enrolment
from fhir_server.application.directory.enrolment import Enrolled
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import ClientKind
from fhir_server.cli.operators import ANY_MATRIX, opened, takes_name, takes_settings, wrong
from fhir_server.domain.directory.insured_lines import LONGEST_LINE, Columns, Line, LineFault
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import ClientId
from fhir_server.settings.server import Settings, SettingsError

_LOT = 100
"""Persons who are committed together: with few syncs, and nobody else waits long for the store."""
_TOLD_EVERY = 10_000
"""After how many lines a run that writes to no terminal says how far it has come."""
_WIDTH = 30
"""Of the progress bar, in characters."""
_WHY = {
    Enrolled.OTHER_TRAITS: "the number is recorded with other traits: one of the two is wrong",
    Enrolled.OTHER_KEEPER: "other software keeps this identity",
    Enrolled.REFUSED: "the number has been another person's",
    Enrolled.ALIKE: "enrolled; another number has the same traits: are the two one person?",
}
"""What the report says of a line that somebody should look at."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--client", "client_id", required=True, metavar="ID", help="The software that keeps these identities.")
@click.option("--after", default=1, metavar="LINE", type=click.IntRange(1), help="Begin behind this line.")
@takes_name
@takes_settings()
def enrol(file: Path, client_id: str, after: int, by: str, settings: Settings) -> None:
    """Announce the spaces of the insured persons of a file.

    FILE is a CSV file in UTF-8 with the columns number, family, given, birth_date, sex, and, if you have them, system
    and birth_place. Each person has six weeks to oppose. Servers keep running. Start an interrupted run again: whoever
    is enrolled stays as they are. FILE.report.csv lists the lines to look at, and why; it names no person.
    """
    place = file.with_name(f"{file.name}.report.csv")
    with opened(settings, **ANY_MATRIX) as runtime, file.open("rb") as source:
        client = clients.find(runtime, ClientId(client_id))
        if client is None or client.kind is not ClientKind.BACKEND:
            raise wrong("--client", "there is no such software; `habilis clients list` shows all clients")
        bar = _Progress(source, file.stat().st_size)
        lines = _lines(source, _columns(source), after)
        with place.open("a" if after > 1 else "w", encoding="utf-8") as report:
            if report.tell() == 0:
                report.write("line,result,text\n")
            tally = _Tally(report)
            try:
                while lot := tuple(islice(lines, _LOT)):
                    tally.note(
                        lot, enrolment.enrol(runtime, client, by, [line.patient for line in lot if line.patient])
                    )
                    bar.show(lot[-1].number)
            except Problem as problem:
                raise SettingsError(f"the client {client_id} cannot enrol: {problem.issues[0].text}") from problem
    click.echo(f"{tally.told()}; {tally.look} lines to look at are in {place}" if tally.look else tally.told())


def _columns(source: BinaryIO) -> Columns:
    try:
        return Columns.of(source.readline(LONGEST_LINE))
    except LineFault as fault:
        raise wrong("FILE", str(fault)) from fault


def _lines(source: BinaryIO, columns: Columns, after: int) -> Iterator[Line]:
    """Yield the filled lines behind line `after`; of a line that is too long only a part is ever in memory."""
    number = 1
    while raw := source.readline(LONGEST_LINE + 1):
        number += 1
        rest = raw
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = source.readline(LONGEST_LINE + 1)
        if number > after and raw.strip():
            yield columns.line(number, raw)


@dataclass(slots=True)
class _Tally:
    """What became of the lines so far. report: the file of the lines to look at. look: how many these are."""

    report: TextIO
    look: int = 0
    counts: Counter[Enrolled | None] = field(default_factory=Counter)

    def note(self, lot: tuple[Line, ...], fates: tuple[Enrolled, ...]) -> None:
        """Count a lot. fates: of its lines that are persons, in order."""
        rest = iter(fates)
        for line in lot:
            fate = next(rest) if line.patient else None
            self.counts[fate] += 1
            text = _WHY.get(fate, "") if fate else line.fault
            if text:
                self.look += 1
                self.report.write(f'{line.number},{fate.value if fate else "unreadable"},"{text}"\n')
        self.report.flush()

    def told(self) -> str:
        """Return how many were enrolled now and before."""
        enrolled = self.counts[Enrolled.ANNOUNCED] + self.counts[Enrolled.ALIKE]
        return f"{enrolled} persons enrolled; {self.counts[Enrolled.KNOWN]} were enrolled before"


@dataclass(slots=True)
class _Progress:
    """A bar on a terminal, a line after each ten thousand lines elsewhere."""

    source: BinaryIO
    size: int
    told: int = 0

    def show(self, line: int) -> None:
        """Show how far the file is read. line: the last line that is done."""
        if sys.stderr.isatty():
            filled = _WIDTH * self.source.tell() // max(self.size, 1)
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] line {line:,}")
            sys.stderr.write("\n" if filled >= _WIDTH else "")
            sys.stderr.flush()
        elif line // _TOLD_EVERY > self.told:
            self.told = line // _TOLD_EVERY
            click.echo(f"{line} lines are done; to go on behind them: --after {line}", err=True)
