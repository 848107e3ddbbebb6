"""What an operation is: its name, its parameters and its function; how a call is read; its OperationDefinition.

Source: https://hl7.org/fhir/R4/operations.html, https://hl7.org/fhir/R4/operationdefinition.html.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from flask import Response, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain import bodies
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.r4.checking import check
from fhir_server.r4.parsing import parse

Arguments = Mapping[str, Any]
ParameterType = Literal[
    "string", "boolean", "code", "integer", "id", "date", "instant", "uri", "canonical", "Coding", "CodeableConcept",
    "Reference", "Identifier", "Patient", "Binary", "Bundle", "Resource",
]  # fmt: skip
Answer = Callable[[Runtime, Caller, str, Arguments], Response]
"""Answers one call. It gets the runtime, the caller, the id of the instance ("" at type level) and the arguments."""
PublicAnswer = Callable[[str, Arguments], Response]
"""Answers one call from the code alone, for everybody. It gets the id of the instance and the arguments."""
VALUES = {
    "string": "valueString",
    "boolean": "valueBoolean",
    "code": "valueCode",
    "integer": "valueInteger",
    "id": "valueId",
    "date": "valueDate",
    "instant": "valueInstant",
    "uri": "valueUri",
    "canonical": "valueCanonical",
    "Coding": "valueCoding",
    "Reference": "valueReference",
    "Identifier": "valueIdentifier",
    "CodeableConcept": "valueCodeableConcept",
}
"""The element of each data type in a parameter; a resource is in `resource`."""
_ALSO = {
    "id": ("valueString",),
    "date": ("valueDateTime", "valueString"),
    "instant": ("valueDateTime", "valueString"),
    "uri": ("valueString",),
    "canonical": ("valueUri", "valueString"),
    "code": ("valueString",),
}
"""Elements in which clients send a value of a data type too."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input. type: a data type, or a resource type. repeats: whether it may be said several times."""

    name: str
    type: ParameterType
    documentation: str
    required: bool = False
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One output: a type, or parts."""

    name: str
    type: str = ""
    parts: tuple["Output", ...] = ()


def _unanswered(_runtime: Runtime, _caller: Caller, _id: str, _given: Arguments) -> Response:
    """Stand in for the answer of an operation that needs no caller."""
    raise Problem(Category.METHOD_NOT_ALLOWED)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a resource type. name: without the dollar sign. output: what it returns.

    answer: for callers with a token. shown: for everybody, instead of `answer`.
    instance: whether it is called on a resource. also_on_type: whether it is called on the type as well.
    type: "" for an operation of the whole server. answers: the status of a success.
    reads_request: whether its function reads the parameters of the request itself.
    media_type: of an answer that is no resource, takes: of a body that is none; "" for a resource.
    """

    name: str
    type: str
    title: str
    documentation: str
    answer: Answer = _unanswered
    parameters: tuple[Parameter, ...] = ()
    output: tuple["Output", ...] = ()
    instance: bool = True
    affects_state: bool = True
    also_on_type: bool = False
    reads_request: bool = False
    answers: int = 200
    shown: PublicAnswer | None = None
    media_type: str = ""
    takes: str = ""

    @property
    def id(self) -> str:
        """The id of its definition."""
        return f"{self.type}-{self.name}" if self.type else self.name

    @property
    def is_of_system(self) -> bool:
        """Whether it is called on the whole server."""
        return not self.type

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods: POST, and GET too when the operation changes nothing, as R4 allows."""
        return ("POST",) if self.affects_state else ("GET", "POST")


def arguments(operation: Operation) -> dict[str, Any]:
    """Read the arguments of this request.

    Raises: Problem(INVALID) naming each parameter that is unknown, of a wrong type, repeated or missing.
    """
    given = _of_query(operation) if request.method == "GET" else _of_body(operation)
    missing = [
        Issue(f"the parameter `{wanted.name}` is required", "Parameters.parameter", "required")
        for wanted in operation.parameters
        if wanted.required and wanted.name not in given
    ]
    if missing:
        raise Problem(Category.INVALID, *missing)
    return given


def _of_query(operation: Operation) -> dict[str, Any]:
    known = {wanted.name: wanted for wanted in operation.parameters}
    given: dict[str, Any] = {}
    issues = []
    for name, text in request.args.items(multi=True):
        wanted = known.get(name)
        if wanted is None:
            if not name.startswith("_"):
                issues.append(Issue(f"`{name}` is no parameter of this operation", code="value"))
        elif name in given and not wanted.repeats:
            issues.append(Issue(f"`{name}` is said twice", code="value"))
        elif (value := _of_text(wanted, text)) is None:
            issues.append(Issue(f"`{name}` takes {_one(wanted.type)}", code="value"))
        else:
            given[name] = [*given.get(name, ()), value] if wanted.repeats else value
    if issues:
        raise Problem(Category.INVALID, *issues)
    return given


def _one(type_: ParameterType) -> str:
    """Return a type with its article."""
    return f"an {type_}" if type_.startswith("i") else f"a {type_}"


def _of_text(wanted: Parameter, text: str) -> Any:  # noqa: ANN401 - a JSON value, None for what is none
    """Return the value of a parameter of a URL: a Coding as `system|code`, a primitive as R4 writes it.

    Source: https://hl7.org/fhir/R4/operations.html#executing (only simple types go into a URL).
    """
    match wanted.type:
        case "integer":
            return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else None
        case "boolean":
            return {"true": True, "false": False}.get(text)
        case "Coding":
            system, bar, code = text.rpartition("|")
            return {"code": code} | ({"system": system} if bar else {}) if code else None
        case "CodeableConcept" | "Reference":
            return None
        case _:
            return text if VALUES.get(wanted.type) else None


def _of_body(operation: Operation) -> dict[str, Any]:
    body = request.get_data(cache=False)
    if not body:
        return {}
    resource = parse(body, request.content_type or "", "")
    single = next((wanted for wanted in operation.parameters if wanted.type == resource["resourceType"]), None)
    if single:
        return {single.name: resource}
    if resource["resourceType"] != "Parameters":
        raise Problem.of(Category.INVALID, "the body must be Parameters", "Parameters.resourceType", "structure")
    given: dict[str, Any] = {}
    issues = [*_read(operation, resource.get("parameter", ()), given)]
    if issues:
        raise Problem(Category.INVALID, *issues)
    return given


def _read(operation: Operation, parts: Iterable[Json], given: dict[str, Any]) -> Iterable[Issue]:
    known = {wanted.name: wanted for wanted in operation.parameters}
    for number, part in enumerate(parts):
        where = f"Parameters.parameter[{number}]"
        wanted = known.get(str(part.get("name")))
        if wanted is None or (wanted.name in given and not wanted.repeats):
            text = "said twice" if wanted else "no parameter of this operation"
            yield Issue(f"`{str(part.get('name'))[:64]}` is {text}", f"{where}.name", "value")
            continue
        value = _value(wanted, part)
        is_resource = wanted.type not in VALUES
        if value is None or (is_resource and value.get("resourceType") != wanted.type):
            yield Issue(f"`{wanted.name}` takes {_one(wanted.type)}", where, "value")
            continue
        if is_resource:
            yield from check(value, f"{where}.resource")
        given[wanted.name] = [*given.get(wanted.name, ()), value] if wanted.repeats else value


def _value(wanted: Parameter, part: Json) -> Any:  # noqa: ANN401 - a JSON value, None for what is none
    names = (VALUES.get(wanted.type, "resource"), *_ALSO.get(wanted.type, ()))
    return next((part[name] for name in names if part.get(name) is not None), None)


def parameters(**values: object) -> Json:
    """Write the output: texts as code, instants, booleans, references, lists of parts; None is left out."""
    found = [*_parts(values.items())]
    return {"resourceType": "Parameters"} | ({"parameter": found} if found else {})


def part(name: str, **values: object) -> Json:
    """Write one parameter that has parts."""
    return {"name": name, "part": [*_parts(values.items())]}


def _parts(values: Iterable[tuple[str, object]]) -> Iterable[Json]:
    for name, value in values:
        match value:
            case None | "":
                continue
            case bool():
                yield {"name": name, "valueBoolean": value}
            case int():
                yield {"name": name, "valueInteger": value}
            case datetime():
                yield {"name": name, "valueDateTime": bodies.instant(value)}
            case dict():
                yield {"name": name, "valueReference" if "reference" in value else "valueAttachment": value}
            case list():
                yield from value
            case _:
                yield {"name": name, "valueString" if " " in str(value) else "valueCode": str(value)}


def outputs(*named: tuple[str, str]) -> tuple[Output, ...]:
    """Return outputs, each from a name and a type."""
    return tuple(Output(name, type_) for name, type_ in named)


def _output(told: Output) -> Json:
    built: Json = {"name": told.name, "use": "out", "min": 0, "max": "*"}
    return built | ({"part": [_output(part) for part in told.parts]} if told.parts else {"type": told.type})


def definition_of(operation: Operation, fhir_base: str, date: str) -> Json:
    """Build the OperationDefinition."""
    inputs = [
        {
            "name": wanted.name,
            "use": "in",
            "min": int(wanted.required),
            "max": "*" if wanted.repeats else "1",
            "documentation": wanted.documentation,
            "type": wanted.type,
        }
        for wanted in operation.parameters
    ]
    told_back = [_output(told) for told in operation.output]
    built: Json = {
        "resourceType": "OperationDefinition",
        "id": operation.id,
        "url": f"{fhir_base}/OperationDefinition/{operation.id}",
        "name": "".join(word.title() for word in operation.id.split("-")),
        "title": operation.title,
        "status": "active",
        "kind": "operation",
        "date": date,
        "description": operation.documentation,
        "affectsState": operation.affects_state,
        "code": operation.name,
        **({} if operation.is_of_system else {"resource": [operation.type]}),
        "system": operation.is_of_system,
        "type": operation.also_on_type or not (operation.instance or operation.is_of_system),
        "instance": operation.instance,
    }
    return built | ({"parameter": [*inputs, *told_back]} if inputs or told_back else {})
