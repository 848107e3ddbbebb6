"""Runs the load generator against a live server and reads off what the server spent meanwhile."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.load import Plan
from tests.live import Live


@dataclass(frozen=True)
class Figures:
    """One line of the table. p50, p95 in milliseconds; cpu_ms: of all the server's processes, for each answer."""

    name: str
    workers: int
    connections: int
    per_second: float
    p50: float
    p95: float
    p99: float
    cpu_ms: float
    memory_mb: float
    refused: int


def measure(server: Live, name: str, plan: Plan, workers: int) -> Figures:
    """Warm the server up with the plan, then measure it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_text(json.dumps(asdict(plan)), encoding="utf-8")
        command = [sys.executable, "-m", "tests.bench.load", str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
            assert load.stdin is not None
            assert load.stdout is not None
            load.stdout.readline()
            before = server.cpu_seconds()
            load.stdin.write("go\n")
            load.stdin.flush()
            outcome = json.loads(load.stdout.readline())
            spent = server.cpu_seconds() - before
    if outcome["sample"]:
        print(f"{name}: an answer was {outcome['sample'][:600]}", file=sys.stderr)
    answers = len(outcome["latencies"])
    return Figures(
        name=name,
        workers=workers,
        connections=plan.connections,
        per_second=answers / outcome["seconds"],
        p50=_quantile(outcome["latencies"], 0.50),
        p95=_quantile(outcome["latencies"], 0.95),
        p99=_quantile(outcome["latencies"], 0.99),
        cpu_ms=spent * 1000 / answers,
        memory_mb=server.memory_bytes() / 1e6,
        refused=sum(number for status, number in outcome["statuses"].items() if int(status) >= 400),
    )


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
