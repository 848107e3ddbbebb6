"""Writes docs/interop.md: for each guide, clause by clause, what the server does, which test shows it, or why not.

Run by `make coverage-docs`. A clause is shown by tests with the mark `@holds`, and by requirements of `habilis
conformance`, which tests/conformance/test_kit.py asks of this server.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from fhir_server.conformance.running import requirements
from tests.conformance import coverage_docs
from tests.conformance.project import ROOT

PAGE = ROOT / "docs/interop.md"
INDEX = ROOT / "docs/interop-index.csv"
KIT = "conformance/test_kit.py"
_INTRODUCTION = """# Interoperability, guide by guide

Each row is one statement of a guide.
*done* names the tests that fail when the server breaks it. A name such as `R4-read` is a requirement of
`habilis conformance`, which our tests ask of this server as well.
*no* says why the server does not do it.
`make coverage-docs` makes this page from `docs/interop-index.csv` and the marks `@holds(…)` of single tests.

## Ask any server the same

```sh
habilis conformance --base https://sante.example/fhir
habilis conformance --base https://sante.example/fhir --patient ID --reader-token-file reader.txt --format junit
```

The command asks over fifty requirements of R4, SMART, MHD, BALP, RESTful ATNA and PCF.
For one that does not hold it prints the request, the answer and what was expected.
It skips what needs a token, a test patient or a submission until you give it; `--help` lists the options.
Its status is 1 when a requirement with SHALL does not hold.
"""


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement of a guide.

    kit: requirements of `habilis conformance` that show it. reason: why it is not done, "" when it is.
    """

    number: str
    guide: str
    clause: str
    statement: str
    kit: tuple[str, ...]
    reason: str


def clauses() -> list[Clause]:
    """Return the index, in its order."""
    with INDEX.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    return [Clause(**row | {"kit": tuple(row["kit"].split())}) for row in rows]


def faults() -> list[str]:
    """Return what is wrong with the index: a clause that is done without a test, or not done without a reason."""
    tests, known = coverage_docs.by_number(), {wanted.name for wanted in requirements()}
    found = [f"{one.number}: {name} is no requirement" for one in clauses() for name in one.kit if name not in known]
    for one in clauses():
        shown = bool(one.kit or one.number in tests)
        if shown == bool(one.reason):
            found.append(f"{one.number}: " + ("a reason beside its tests" if shown else "neither a test nor a reason"))
    return found


def page() -> str:
    """Return the page as it should be."""
    return "\n".join([_INTRODUCTION, *(line for part in _sections() for line in part)])


def _sections() -> Iterator[list[str]]:
    tests = coverage_docs.by_number()
    for guide, rows in groupby(clauses(), lambda one: one.guide):
        every = list(rows)
        done = sum(not one.reason for one in every)
        head = [f"## {guide}: {done} of {len(every)} done", "", "| clause | statement | |", "| --- | --- | --- |"]
        yield [*head, *(_row(one, tests.get(one.number, [])) for one in every), ""]


def _row(one: Clause, tests: list[str]) -> str:
    named = [f"`{name}`" for name in (*one.kit, *sorted(tests))]
    told = f"no: {one.reason}" if one.reason else f"done: {'<br>'.join(named)}"
    return f"| {one.clause} | {one.statement} | {told} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
