"""Places the examples in the operations of the OpenAPI document.

An example has the name of who asks, such as `patient`. In one operation this name stands at each parameter, body and
answer that belong together. `python -m tests.conformance.examples` sends the requests and writes the file again.
Source: https://spec.openapis.org/oas/v3.0.3 4.7.19 (Example Object); docs/adr/0127-examples-name-who-asks.md.
"""

from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from http import HTTPStatus
from importlib.resources import files

import orjson

from fhir_server.domain.values import Json

PERSONAS: Mapping[str, str] = {
    "stranger": "nobody: no token",
    "patient": "Camille Laurent, in an app for patients",
    "guardian": "Camille Laurent for Léo, 7, whom she represents",
    "professional": "Paul Morel, physiotherapist, whom Camille has agreed to",
    "unrelated": "Dr Félix Stern, who has never treated Camille",
    "software": "the patient files of the hospital CHU-A",
    "auditor": "Dana Weiss, data-protection officer",
}
"""Who asks in an example; all are people of the demonstration."""
_JSON = "application/fhir+json"
_PROBLEM: Json = {"$ref": "#/components/schemas/OperationOutcome"}


def told_of_personas() -> str:
    """Return what the document says of the names of its examples."""
    names = "\n".join(f"- `{name}`: {who}" for name, who in PERSONAS.items())
    return (
        "Examples are named after who asks. In one operation, parameters, body and answer of the same name belong "
        "together; parameters without an example of this name are not sent. All people are invented:\n\n" + names
    )


def place(operation_id: str, operation: Json) -> None:
    """Add the examples of one operation to it."""
    for example in _EXAMPLES.get(operation_id, ()):
        for where in ("path", "query", "header"):
            for name, value in example.get(where, {}).items():
                _at_parameter(operation, (where, name), example, value)
        if "body" in example:
            media = operation["requestBody"]["content"][example["media"]]
            media.setdefault("examples", {})[example["persona"]] = _shown(example, example["body"])
        _at_answer(operation, example)


def _at_parameter(operation: Json, which: tuple[str, str], example: Json, value: str) -> None:
    where, name = which
    listed = operation["parameters"]
    found = next((one for one in listed if isinstance(one, dict) and (one["in"], one["name"]) == which), None)
    if found is None:
        if where != "path":
            raise LookupError(f"{example['operation']} has no parameter {name}")
        found = {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        listed.append(found)
    found.setdefault("examples", {})[example["persona"]] = {"value": value}


def _at_answer(operation: Json, example: Json) -> None:
    status = str(example["status"])
    described = {"description": HTTPStatus(example["status"]).phrase, "content": {_JSON: {"schema": _PROBLEM}}}
    answer = operation["responses"].setdefault(status, described)
    answer["content"] = deepcopy(answer["content"])  # several answers share one content
    answer["content"][_JSON].setdefault("examples", {})[example["persona"]] = _shown(example, example["answer"])


def _shown(example: Json, value: object) -> Json:
    return {"summary": example["summary"], "value": value}


def _read() -> Mapping[str, list[Json]]:
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for example in orjson.loads((files(__package__) / "data" / "examples.json").read_bytes()):
        found[example["operation"]].append(example)
    return found


_EXAMPLES = _read()
