"""The rules alone: how long an import, one decision and one look at a document take."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from timeit import repeat

from consent_rules.decision.decide import decide
from consent_rules.matrix.table import published
from consent_rules.model import AccessRequest, Directive, Permit, RecordState, Requester
from consent_rules.rule_profile import profile
from consent_rules.visibility import AccessFacts, Visibility
from consent_rules.vocabulary import Action, DirectiveKind, Purpose, RequesterKind, SpaceStatus, View

PHYSIOTHERAPIST = Requester(
    RequesterKind.PROFESSIONAL, person="Practitioner/p", role="PractitionerRole/r", organization="Organization/o",
    client="Device/c", profession="70",
)  # fmt: skip
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
REQUEST = AccessRequest(PHYSIOTHERAPIST, Action.CONSULT, Purpose.TREATMENT, NOW)
_AGREEMENT = Directive("c1", DirectiveKind.AGREEMENT, actors=frozenset({"Practitioner/p"}), recorded_at=NOW)
_OTHERS = tuple(
    Directive(f"b{n}", DirectiveKind.BLOCK, actors=frozenset({f"Practitioner/{n}"}), recorded_at=NOW) for n in range(20)
)
RECORD = RecordState("patient", SpaceStatus.ACTIVE, since=NOW, directives=(*_OTHERS, _AGREEMENT))
_AND_MATRIX = "from consent_rules.matrix.table import published; published(); "


def lines() -> Iterator[str]:
    """Yield rows of a Markdown table."""
    yield f"| import of `consent_rules.decision.decide` in a fresh process | {_import_ms():.0f} ms |"
    yield f"| the same, and reading the matrix | {_import_ms(_AND_MATRIX):.0f} ms |"
    matrix, rules = published(), profile("fr")
    entry = decide(REQUEST, RECORD, matrix, rules)
    assert isinstance(entry, Permit), entry
    seen: Visibility = entry.sees(View.DOCUMENTS)
    facts = AccessFacts("patient", kind="34112-3")
    decision = _micros(lambda: decide(REQUEST, RECORD, matrix, rules))
    yield f"| one decision, 21 directives in the record | {decision:.1f} µs |"
    yield f"| one document looked at | {_micros(lambda: seen.admits(facts)):.2f} µs |"


def _micros(audited: Callable[[], object], times: int = 5000) -> float:
    return min(repeat(audited, number=times, repeat=5)) / times * 1e6


def _import_ms(more: str = "") -> float:
    timed = f"import consent_rules.decision.decide; {more}print((t() - a) * 1000)"
    code = f"from time import perf_counter as t; a = t(); {timed}"
    found = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    return min(found)
