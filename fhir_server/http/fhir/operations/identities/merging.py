"""`$merge` and `$unmerge`: two recorded identities of one person, for the operator of the directory.

Source: https://hl7.org/fhir/R5/patient-operation-merge.html, served on R4; docs/operations.md.
"""

from typing import Any

from flask import Response

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.spaces import merging
from fhir_server.application.spaces.merging import Merged, Named
from fhir_server.domain import references
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs
from fhir_server.registry import PATIENT

_MOST = 5
"""Identifiers of one side at most: each is one look-up."""


def _merge(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    preview = given.get("preview") is True
    done = merging.merge(
        runtime, caller, _named(runtime, given, "source"), _named(runtime, given, "target"), preview=preview
    )
    if done.changed:
        text = f"The identities are merged: {done.id}. Nothing was moved; what closes in one space closes in both."
    elif preview and not done.id:
        text = "The identities can be merged. Nothing was changed."
    else:
        text = "The identities are merged already. Nothing was changed."
    return _answer(given, done, text)


def _unmerge(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    done = merging.unmerge(runtime, caller, _named(runtime, given, "source"), _named(runtime, given, "target"))
    if done.changed:
        text = f"The merge {done.id} is undone. Each space holds what was filed in it, and its own choices alone."
    else:
        text = "The identities are not merged. Nothing was changed."
    return _answer(given, done, text)


def _named(runtime: Runtime, given: Arguments, role: str) -> Named:
    """Return whom the parameters of one side name.

    Raises: Problem(MALFORMED) for a reference to something else, an identifier without system or value, and too many.
    """
    reference, where = given.get(f"{role}-patient"), f"{role}-patient"
    pairs = [*given.get(f"{role}-patient-identifier", ())]
    id_ = ""
    if reference is not None:
        target = references.split(str(reference.get("reference", "")), runtime.fhir_base)
        if reference.get("reference") and (target is None or target[0] != PATIENT):
            raise Problem.of(Category.MALFORMED, f"`{where}` takes a reference to a Patient here", where, "value")
        id_ = target[1] if target else ""
        pairs += [reference["identifier"]] if "identifier" in reference else []
    if len(pairs) > _MOST:
        raise Problem.of(Category.MALFORMED, f"at most {_MOST} identifiers of the {role}", where, "too-many")
    return Named(role, id_, tuple(_pair(one, where) for one in pairs))


def _pair(identifier: Any, where: str) -> tuple[str, str]:  # noqa: ANN401 - a JSON value
    given = identifier if isinstance(identifier, dict) else {}
    system, value = given.get("system"), given.get("value")
    if not (isinstance(system, str) and isinstance(value, str) and system and value):
        raise Problem.of(Category.MALFORMED, "an identifier needs `system` and `value`", where, "value")
    return system, value


def _answer(given: Arguments, done: Merged, text: str) -> Response:
    issue = {"severity": "information", "code": "informational", "details": {"text": text}}
    said = [part for name, value in given.items() for part in _parts(name, value)]
    asked: Json = {"resourceType": "Parameters", "parameter": said}
    parts: list[Json] = [
        {"name": "input", "resource": asked},
        {"name": "outcome", "resource": {"resourceType": "OperationOutcome", "issue": [issue]}},
        {"name": "result", "resource": done.result},
    ]
    return negotiation.fhir_response({"resourceType": "Parameters", "parameter": parts})


def _parts(name: str, value: Any) -> list[Json]:  # noqa: ANN401 - a JSON value
    """Return a parameter as it was sent."""
    if isinstance(value, list):
        return [{"name": name, "valueIdentifier": one} for one in value]
    return [{"name": name, ("valueBoolean" if isinstance(value, bool) else "valueReference"): value}]


def _side(role: str) -> tuple[Parameter, ...]:
    return (
        Parameter(f"{role}-patient", "Reference", f"the {role}: a reference, an identifier in it, or both"),
        Parameter(
            f"{role}-patient-identifier",
            "Identifier",
            f"identifiers with system and value, which must all name the {role}",
            repeats=True,
        ),
    )


_OUTPUT = outputs(("input", "Parameters"), ("outcome", "OperationOutcome"), ("result", "Patient"))
OPERATIONS = (
    Operation(
        "merge",
        "Patient",
        "Merge two identities of one person",
        "For the software without an establishment that recorded both. The Patients point to each other "
        "(`replaced-by`, `replaces`), and the source is no longer active. Nothing is moved and nothing opens to "
        "anybody new: each space keeps its documents, choices and journal, and what closes in one closes in both. Both "
        "spaces must be open and the birth dates alike. Both patients are told.",
        _merge,
        (
            *_side("source"),
            *_side("target"),
            Parameter("preview", "boolean", "true: only say whether the two can be merged"),
        ),
        _OUTPUT,
        instance=False,
    ),
    Operation(
        "unmerge",
        "Patient",
        "Undo the merge of two identities",
        "For the software that may merge. The links go and the source is as active as before; each space holds what "
        "was filed in it, and its own choices alone hold from now on. Both patients are told.",
        _unmerge,
        (*_side("source"), *_side("target")),
        _OUTPUT,
        instance=False,
    ),
)
