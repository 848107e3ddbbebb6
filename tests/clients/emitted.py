"""What a server emits in a run: every different FHIR body, for a validator to judge."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

JSON, LINES = "application/fhir+json", "application/fhir+ndjson"
SHORT_LIVED = ("/fhir/Binary/", "/fhir/Bundle/")
"""Addresses that return what others filed, byte by byte."""


@dataclass(frozen=True)
class Body:
    """One body. asked: method, path and query."""

    status: int
    asked: str
    resource: Any


@dataclass
class Emitted:
    """The different bodies of a run; two are alike when they have the same elements, types, states and profiles."""

    by_shape: dict[str, Body] = field(default_factory=dict)

    @property
    def bodies(self) -> list[Body]:
        """All different bodies, in the order in which they came."""
        return list(self.by_shape.values())

    def kinds(self) -> set[tuple[int, str]]:
        """Return (status, resource type) of all bodies."""
        return {(body.status, body.resource["resourceType"]) for body in self.bodies}

    def hear(self, answer: TestResponse) -> None:
        """Keep the resources of an answer."""
        path, mime = answer.request.path, answer.headers.get("Content-Type", "").partition(";")[0]
        if answer.request.method == "HEAD" or path.startswith(SHORT_LIVED) or mime not in (JSON, LINES):
            return
        asked = f"{answer.request.method} {path}?{answer.request.query_string.decode('utf-8', 'replace')}"
        for text in [answer.get_data()] if mime == JSON else answer.get_data().splitlines():
            self._keep(Body(answer.status_code, asked, json.loads(text)))

    def _keep(self, body: Body) -> None:
        """Keep a body, and each version of a history as a body of its own."""
        self.by_shape.setdefault(f"{body.status} {_shape(body.resource)}", body)
        if body.resource.get("type") == "history":
            for entry in body.resource.get("entry", ()):
                if "resource" in entry:
                    self._keep(Body(body.status, body.asked, entry["resource"]))

    def write(self, file: Path) -> None:
        """Write one body a line."""
        lines = (json.dumps(body.resource, ensure_ascii=False) for body in self.bodies)
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


_TELLING = frozenset({"resourceType", "type", "status", "mode", "severity", "method", "profile"})


def _shape(value: Any, name: str = "") -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_shape(value[key], key)}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({_shape(one, name) for one in value})) + "]"
    return str(value) if name in _TELLING or value == "" else type(value).__name__
