"""Asks a server each requirement, one after the other, and says what came of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from fhir_server.conformance import audit, documents, rest, searching, smart, subscribing
from fhir_server.conformance.exchange import Answer, Request, Unreachable
from fhir_server.conformance.requirement import Broken, Guide, NotApplicable, Probe, Requirement, Target

GUIDES: tuple[Guide, ...] = (rest.GUIDE, searching.GUIDE, smart.GUIDE, documents.GUIDE, audit.GUIDE, subscribing.GUIDE)
"""The guides, in the order in which they are asked."""


class Verdict(StrEnum):
    """What came of a requirement. ADVISED: a SHOULD that does not hold. SKIPPED: it was not asked."""

    PASSED = "passed"
    FAILED = "failed"
    ADVISED = "advised"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One requirement and what came of it.

    expected: what the server should have answered, "" when it did. reason: why it was skipped. last: the request that
    told, and its answer.
    """

    requirement: Requirement
    verdict: Verdict
    expected: str = ""
    reason: str = ""
    last: tuple[Request, Answer] | None = None


def requirements(names: Iterable[str] = ()) -> Iterator[Requirement]:
    """Yield the requirements of the named guides; of all guides when none is named.

    Raises: LookupError naming a guide that is not known.
    """
    wanted = set(names)
    if unknown := wanted - {guide.name for guide in GUIDES}:
        raise LookupError(", ".join(sorted(unknown)))
    for guide in GUIDES:
        if not wanted or guide.name in wanted:
            yield from guide.requirements


def run(target: Target, names: Iterable[str] = ()) -> Iterator[Result]:
    """Ask a server each requirement, and yield its result.

    Raises: Unreachable when the server gives no answer at all; LookupError as `requirements`.
    """
    for wanted in requirements(names):
        yield ask(target, wanted)


def ask(target: Target, wanted: Requirement) -> Result:
    """Ask one requirement.

    Raises: Unreachable.
    """
    if missing := sorted(need.value for need in wanted.needs if not target.has(need)):
        return Result(wanted, Verdict.SKIPPED, reason=f"give {' and '.join(missing)}")
    probe = Probe(target)
    try:
        wanted.check(probe)
    except Broken as broken:
        verdict = Verdict.FAILED if wanted.level == "SHALL" else Verdict.ADVISED
        return Result(wanted, verdict, expected=broken.expected, last=_last(probe))
    except NotApplicable as why:
        return Result(wanted, Verdict.SKIPPED, reason=str(why), last=_last(probe))
    return Result(wanted, Verdict.PASSED, last=_last(probe))


def _last(probe: Probe) -> tuple[Request, Answer] | None:
    return probe.exchanges[-1] if probe.exchanges else None


__all__ = ["GUIDES", "Result", "Unreachable", "Verdict", "ask", "requirements", "run"]
