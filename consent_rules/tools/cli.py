"""`python -m consent_rules`: explain, simulate, audience, diff, import and check, without a server.

What is read is a scenario, such as docs/examples/scenario.toml, or a version of the matrix: its date, or a file.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from consent_rules.decision.decide import decide
from consent_rules.matrix import comparison, importing, schedule, table
from consent_rules.matrix.table import Matrix, MatrixError
from consent_rules.model import Permit
from consent_rules.rule_profile import ProfileError
from consent_rules.tools import hypothetical_requesters
from consent_rules.tools.explanation import LANGUAGES, Explainer
from consent_rules.tools.scenario import Scenario, ScenarioError, marks_of, parse
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import View

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

DONE, REFUSED, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Run one command; return 0 when done, 1 when a check fails, 2 when the input cannot be understood."""
    asked = _parser().parse_args(arguments)
    printer = Printer(out or sys.stdout)
    try:
        code: int = asked.command(asked, printer)
    except (MatrixError, ProfileError, ScenarioError, OSError) as problem:
        printer.line(f"error: {problem}")
        return WRONG
    return code


class Printer:
    """Lines and tables of plain text."""

    def __init__(self, out: TextIO) -> None:
        """Write to this stream."""
        self.out = out

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.out.write(f"{text}\n")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table with aligned columns."""
        lines = [tuple(header), *(tuple(row) for row in rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
        for line in lines:
            self.line("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def explain(asked: argparse.Namespace, printer: Printer) -> int:
    """Say why the request of a scenario is answered as it is, and why a document is seen or not."""
    told = _scenario(asked.scenario)
    if told.request is None:
        raise ScenarioError("the scenario lacks a `request`")
    stage = told.stage
    answer = decide(told.request, stage.record, stage.matrix, stage.profile)
    explainer = Explainer(stage.matrix, asked.language, safe=not asked.full)
    for line in explainer.answer(answer):
        printer.line(line)
    names = [asked.document] if asked.document else sorted(told.documents)
    for name in names if isinstance(answer, Permit) else []:
        facts = told.documents.get(name)
        kept = hypothetical_requesters.withheld_by(stage, told.request, facts) if facts else ()
        printer.line(f"{name}: {' '.join(explainer.document(told.request, answer, facts, kept))}")
    return DONE


def simulate(asked: argparse.Namespace, printer: Printer) -> int:
    """Show what somebody of a profession would see of the documents of a scenario, in a mode."""
    told = _scenario(asked.scenario)
    answer = hypothetical_requesters.as_profession(told.stage, asked.profession, asked.mode)
    if not isinstance(answer, Permit):
        printer.line(f"refused: {answer.reason}")
        return DONE
    printer.line(f"access granted: {answer.basis}, matrix {answer.matrix_version}")
    visibility = answer.sees(View.DOCUMENTS)
    label = _labels(told.stage.matrix, asked.language)
    printer.table(
        ("document", "kind", "seen", ""),
        ((name, d.kind, _yes(visibility.admits(d)), label(d.kind)) for name, d in sorted(told.documents.items())),
    )
    return DONE


def audience(asked: argparse.Namespace, printer: Printer) -> int:
    """Show who sees a document, or compare who sees it before and after a change of its marks or readers."""
    told = _scenario(asked.scenario)
    facts = _document(told, asked.document)
    label = _labels(told.stage.matrix, asked.language)
    if asked.marks is None and asked.only is None:
        seen = hypothetical_requesters.audience(told.stage, facts)
        printer.table(
            ("who", "name", "sees", ""), ((p.role, p.name, _yes(value), label(p.name)) for p, value in seen.items())
        )
        return DONE
    marks = None if asked.marks is None else marks_of(asked.marks)
    only = None if asked.only is None else [name for name in asked.only.split(",") if name]
    changed = hypothetical_requesters.audience_change(told.stage, facts, marks, only)
    rows = ((p.role, p.name, _yes(before), _yes(after), label(p.name)) for p, (before, after) in changed.items())
    printer.table(("who", "name", "before", "after", ""), rows)
    return DONE


def diff(asked: argparse.Namespace, printer: Printer) -> int:
    """Show which cells decide otherwise in a newer version of the matrix, and for whom."""
    newer = _matrix(asked.newer)
    documents = importing.documents(Path(asked.documents).read_text("utf-8")) if asked.documents else None
    changes = comparison.differences(_matrix(asked.older), newer)
    label = _labels(newer, asked.language)
    rows = ((c.profession, c.kind, _yes(c.before), _yes(c.after), label(c.kind)) for c in changes)
    printer.table(("profession", "kind", "before", "after", ""), rows)
    for profession, (opened, closed) in comparison.by_profession(changes).items():
        printer.line(f"{profession} {label(profession)}: {opened} opened, {closed} closed")
    widened = sum(change.widens for change in changes)
    printer.line(f"{len(changes)} cells change, {widened} of them open more")
    if documents is not None:
        printer.line(f"{comparison.touched(changes, documents)} patients have documents of these kinds")
    return DONE


def import_(asked: argparse.Namespace, printer: Printer) -> int:
    """Convert a matrix from another form to our columns, and write it if it is valid."""
    text = importing.normalised(Path(asked.source).read_text("utf-8"))
    read = table.parse(text, asked.version)
    Path(asked.target).write_text(text, "utf-8")
    printer.line(f"{len(read.cells)} cells written to {asked.target}")
    return DONE


def check(asked: argparse.Namespace, printer: Printer) -> int:
    """Tell whether a version of the matrix may be used in production, and come into force after an older one."""
    read = schedule.activated(_matrix(asked.after), Path(asked.matrix)) if asked.after else _matrix(asked.matrix)
    sourced = sum(cell.confidence == "sourced" for cell in read.cells.values())
    printer.line(
        f"matrix {read.version}: {len(read.cells)} cells, {sourced} sourced, {len(read.cells) - sourced} inferred"
    )
    faults = comparison.faults(read, accept_inferred=asked.accept_inferred)
    for fault in faults:
        printer.line(fault)
    return REFUSED if faults else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("consent_rules", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_scenario_commands(commands)
    _add_matrix_commands(commands)
    return parser


def _add_scenario_commands(commands: "_Commands") -> None:
    one = _command(commands, "explain", explain)
    one.add_argument("scenario")
    one.add_argument("--document", default="", help="explain only this document")
    one.add_argument("--full", action="store_true", help="explain all that the patient or an auditor may read")
    _add_language(one)
    one = _command(commands, "simulate", simulate)
    one.add_argument("scenario")
    one.add_argument("--profession", required=True, help="code of a row of the matrix, such as 70")
    one.add_argument("--mode", choices=sorted(hypothetical_requesters.MODES), default="care-team")
    _add_language(one)
    one = _command(commands, "audience", audience)
    one.add_argument("scenario")
    one.add_argument("--document", required=True)
    one.add_argument("--marks", default=None, help="the marks after the change, such as MASQUE_PS; '' for none")
    one.add_argument(
        "--only", default=None, help="the only readers after the change, such as Practitioner/paul,10; '' for nobody"
    )
    _add_language(one)


def _add_matrix_commands(commands: "_Commands") -> None:
    one = _command(commands, "diff", diff)
    one.add_argument("older", help="date of the older matrix, or a file")
    one.add_argument("newer", help="date of the newer matrix, or a file")
    one.add_argument(
        "--documents", default="", help="a table with columns patient and kind; counts the patients concerned"
    )
    _add_language(one)
    one = _command(commands, "import", import_)
    one.add_argument("source", help="a matrix as our table, as the working file or as the official service's JSON")
    one.add_argument("target", help="where to write habilitation_matrix_<version>.csv")
    one.add_argument("--version", required=True, help="the day from which it is in force, such as 2023-10-26")
    one = _command(commands, "check", check)
    one.add_argument(
        "matrix", nargs="?", default="", help="date of the matrix, or a file (default: the newest packaged matrix)"
    )
    one.add_argument("--accept-inferred", action="store_true", help="do not report grants without a source as faults")
    one.add_argument(
        "--after",
        default="",
        metavar="OLDER",
        help="the version in force before; also check that the file is approved and announced",
    )


def _add_language(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--language", choices=LANGUAGES, default="fr", help="language of explanations and names (default: fr)"
    )


def _command(commands: "_Commands", name: str, run: object) -> argparse.ArgumentParser:
    text = str(getattr(run, "__doc__", ""))
    one = commands.add_parser(name, help=text, description=text)
    one.set_defaults(command=run)
    return one


def _scenario(path: str) -> Scenario:
    return parse(Path(path).read_text("utf-8"))


def _document(told: Scenario, name: str) -> AccessFacts:
    if name not in told.documents:
        raise ScenarioError(f"there is no document `{name}`; there are {', '.join(sorted(told.documents))}")
    return told.documents[name]


def _matrix(name: str) -> Matrix:
    """Return a version by its date, or from a file named <anything><date>.csv; the newest when nothing is named."""
    path = Path(name)
    if not name or name in table.versions():
        return table.published(name)
    return importing.read(path.read_text("utf-8"), schedule.version_of(path))


def _labels(read: Matrix, language: str) -> Callable[[str], str]:
    """Return a function that names the code of a profession or document type in words; other codes get ""."""

    def label(code: str) -> str:
        known = read.professions.get(code) or read.kinds.get(code)
        return "" if known is None else (known.label_fr if language == "fr" else known.label_en)

    return label


def _yes(value: bool) -> str:  # noqa: FBT001 - the value to write
    return "yes" if value else "no"
