"""A closed-loop load generator: so many connections, each asking again as soon as it is answered.

It runs in a process of its own and prepares its requests before the clock starts, so that it takes little of the
processors that it shares with the server. Run as `python -m tests.bench.load PLAN`; it prints one line of JSON.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter

NUMBER = "@@NUMBER@@"
"""Replaced in each request by twelve digits that no other request of the run has."""


@dataclass(frozen=True)
class Plan:
    """What is asked.

    templates: whole requests, with @@NAME@@ where a value goes. rows: values by name, one row for each request in turn.
    first_number: where the numbers start.
    """

    port: int
    connections: int
    seconds: float
    templates: list[str]
    rows: list[dict[str, str]]
    first_number: int = 0
    warm_up: float = 1.0


@dataclass
class Outcome:
    """What was answered: latencies in milliseconds, answers by status, bytes of bodies."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    received: int = 0
    sample: str = ""


class _Requests:
    """Yields one request after the other."""

    def __init__(self, plan: Plan) -> None:
        self._templates = [template.encode() for template in plan.templates]
        self._rows = [[(f"@@{k}@@".encode(), v.encode()) for k, v in row.items()] for row in plan.rows]
        self._numbers = count(plan.first_number)
        self._fixed = self._prepared() if len(plan.templates) == 1 and NUMBER not in plan.templates[0] else None

    def _prepared(self) -> list[bytes]:
        return [_filled(self._templates[0], row) for row in self._rows]

    def next(self) -> bytes:
        number = next(self._numbers)
        if self._fixed is not None:
            return self._fixed[number % len(self._fixed)]
        row = self._rows[number % len(self._rows)]
        template = self._templates[number // len(self._rows) % len(self._templates)]
        return _filled(template, [*row, (NUMBER.encode(), b"%012d" % number)])


def _filled(template: bytes, values: list[tuple[bytes, bytes]]) -> bytes:
    for name, value in values:
        template = template.replace(name, value)
    return template


class _Connection(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, requests: _Requests, outcome: Outcome, deadline: float) -> None:
        self._requests = requests
        self._outcome = outcome
        self._deadline = deadline
        self._buffer = bytearray()
        self._expected = -1
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        request = self._requests.next()
        self._sent_at = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._expected < 0:
            self._read_head()
        if 0 <= self._expected <= len(self._buffer):
            self._answered()

    def _read_head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        self._expected = end + 4 + length

    def _answered(self) -> None:
        now = perf_counter()
        status = int(self._buffer[9:12])
        self._outcome.latencies.append((now - self._sent_at) * 1000)
        self._outcome.statuses[status] += 1
        self._outcome.received += len(self._buffer)
        if status >= 400 and not self._outcome.sample:
            self._outcome.sample = bytes(self._buffer[:1500]).decode(errors="replace")
        del self._buffer[: self._expected]
        self._expected = -1
        if now < self._deadline:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            if exc is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(exc)


async def _run(plan: Plan, requests: _Requests, seconds: float) -> Outcome:
    outcome = Outcome()
    began = perf_counter()
    loop = asyncio.get_running_loop()
    deadline = began + seconds
    pending = (
        loop.create_connection(lambda: _Connection(requests, outcome, deadline), "127.0.0.1", plan.port)
        for _ in range(plan.connections)
    )
    made = [protocol for _, protocol in await asyncio.gather(*pending)]
    await asyncio.gather(*(connection.done for connection in made))
    outcome.seconds = perf_counter() - began
    return outcome


def run(plan: Plan) -> None:
    """Warm up, say so, wait for the word, measure, and print the outcome."""
    requests = _Requests(plan)
    asyncio.run(_run(plan, requests, plan.warm_up))
    print("warm", flush=True)
    sys.stdin.readline()
    outcome = asyncio.run(_run(plan, requests, plan.seconds))
    print(json.dumps(vars(outcome)), flush=True)


if __name__ == "__main__":
    run(Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
