"""Sends the example requests to a server of the demonstration, and writes the file with what it answers.

`python -m tests.conformance.examples` renews the file; a test sends what the OpenAPI document shows, and compares.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from flask.testing import FlaskClient

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.domain.values import Json
from fhir_server.http.fhir import examples as package
from fhir_server.settings.server import Settings
from seed.book import Demonstration
from seed.loading import load_demonstration
from tests.conformance import openapi_requests
from tests.conformance.example_requests import TOKENS, real_ids, requests
from tests.conformance.openapi_requests import Example

FILE = Path(str(package.__file__)).with_name("data") / "examples.json"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGE = re.compile(r"_page=[^&\"]+")
_INSTANT = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_SAMPLE_ID = "bbbbbbbb-0000-4000-8000-{:012d}"


@contextmanager
def demonstration(folder: Path, base: str = "http://localhost:8080") -> Iterator[tuple[FlaskClient, Demonstration]]:
    """Serve the demonstration from a folder."""
    settings = Settings(base, folder, folder / "keys.json", demo=True, log_level="ERROR", request_rates=False)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    try:
        yield create_app(settings, served).test_client(), load_demonstration(served, folder)
    finally:
        served.ports.store.close()


def send(web: FlaskClient, demo: Demonstration, example: Example) -> tuple[int, Json]:
    """Send the request of an example with the ids and the token of a loaded demonstration."""
    put_in = _replacing(real_ids(demo))
    token = TOKENS[example.persona]
    headers = {"Authorization": f"Bearer {demo.tokens[token]}"} if token else {}
    data = put_in(json.dumps(example.body)) if example.body is not None else None
    answer = web.open(
        put_in(example.url), method=example.method, headers=headers | example.headers, data=data,
        content_type=example.media or None,
    )  # fmt: skip
    return answer.status_code, answer.get_json(force=True)


def stable(answer: Json, demo: Demonstration) -> Json:
    """Return an answer with samples for the ids, instants and cursors that differ at each loading."""
    samples = {real: sample for sample, real in real_ids(demo).items()}

    def sample(found: re.Match[str]) -> str:
        return samples.setdefault(found[0], _SAMPLE_ID.format(len(samples)))

    text = _ID.sub(sample, json.dumps(answer, ensure_ascii=False))
    told: Json = json.loads(_INSTANT.sub("2026-03-02T09:00:00.000Z", _PAGE.sub("_page=opaque", text)))
    return told


def shape(value: object) -> object:
    """Return which elements a value has and of which kinds they are; the entries of a list count together."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in sorted(value.items())}
    if isinstance(value, list):
        shapes = {json.dumps(shape(one), sort_keys=True) for one in value}
        return sorted(shapes)
    return type(value).__name__


def _replacing(ids: dict[str, str]) -> Callable[[str], str]:
    return lambda text: _ID.sub(lambda found: ids.get(found[0], found[0]), text)


def _recorded(web: FlaskClient, demo: Demonstration) -> Iterator[Json]:
    document = web.get("/api/openapi.json").get_json()
    where = {
        item[method]["operationId"]: (method.upper(), path)
        for path, item in document["paths"].items()
        for method in openapi_requests.METHODS
        if method in item
    }
    for asked in requests():
        method, path = where[asked["operation"]]
        for name, value in asked.get("path", {}).items():
            path = path.replace(f"{{{name}}}", value)
        example = Example(
            operation=asked["operation"], persona=asked["persona"], method=method, path=path,
            summary=asked["summary"], status=0, answer={}, query=asked.get("query", {}),
            media=asked.get("media", ""), body=asked.get("body"),
        )  # fmt: skip
        status, answer = send(web, demo, example)
        yield asked | {"status": status, "answer": stable(answer, demo)}


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as (web, demo):
        recorded = list(_recorded(web, demo))
    lines = b",\n".join(orjson.dumps(one) for one in recorded)
    FILE.write_bytes(b"[\n" + lines + b"\n]\n")


if __name__ == "__main__":
    main()
