"""The requests that the examples of the OpenAPI document make, read from the document alone, as an integrator would."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from fhir_server.domain.values import Json

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Example:
    """One request with the answer that the document promises. path: with its parameters filled in."""

    operation: str
    persona: str
    method: str
    path: str
    summary: str
    status: int
    answer: Json
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    media: str = ""
    body: Json | list[Json] | None = None

    @property
    def url(self) -> str:
        """Path and query, below the address of the server."""
        return self.path + (f"?{urlencode(self.query)}" if self.query else "")


def examples(document: Json) -> list[Example]:
    """Return the examples, those of one persona together, in the order of the operations."""
    found = [one for path, item in document["paths"].items() for one in _of_path(path, item)]
    ranks = list(dict.fromkeys(re.findall(r"^- `(\w+)`", document["info"]["description"], re.MULTILINE)))
    return sorted(found, key=lambda one: ranks.index(one.persona))


def _of_path(path: str, item: Json) -> Iterator[Example]:
    for method in METHODS:
        for status, answer in item.get(method, {}).get("responses", {}).items():
            shown = answer.get("content", {}).get("application/fhir+json", {}).get("examples", {})
            for persona, one in shown.items():
                yield _example(path, method, item[method], (persona, int(status), one))


def _example(path: str, method: str, operation: Json, told: tuple[str, int, Json]) -> Example:
    persona, status, shown = told
    sent: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation["parameters"]:
        if persona in parameter.get("examples", {}):
            sent[parameter["in"]][parameter["name"]] = parameter["examples"][persona]["value"]
    media, body = _body(operation, persona)
    for name, value in sent["path"].items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return Example(
        operation=operation["operationId"], persona=persona, method=method.upper(), path=path,
        summary=shown["summary"], status=status, answer=shown["value"], query=sent["query"], headers=sent["header"],
        media=media, body=body,
    )  # fmt: skip


def _body(operation: Json, persona: str) -> tuple[str, Json | list[Json] | None]:
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        if persona in content.get("examples", {}):
            return media, content["examples"][persona]["value"]
    return "", None
