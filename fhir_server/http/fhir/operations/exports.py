"""`$export` for the whole server, for all patients and for a group: asks for an export, which the worker then plans.

Source: https://hl7.org/fhir/uv/bulkdata/export.html, kick-off request; docs/operations.md, Exports.
"""

from functools import partial

from flask import Response, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.exports import commands
from fhir_server.domain.caller import Caller
from fhir_server.http.fhir.exports import asked, delivery
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter


def _export(level: str, runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    asked.demand_async()
    url = f"{runtime.fhir_base}{request.full_path.removeprefix('/fhir').rstrip('?')}"
    wanted = asked.read(runtime.fhir_base, url, lambda row: commands.has_scope(caller, row.name))
    establishment = f"Organization/{id_}" if level == "Group" else ""
    return delivery.accepted(commands.begin(runtime, caller, wanted.of(establishment)))


_PARAMETERS = (
    Parameter("_outputFormat", "string", "`application/fhir+ndjson`, `application/ndjson` or `ndjson`"),
    Parameter("_since", "instant", "only what changed after this instant"),
    Parameter("_until", "instant", "only what changed no later than at this instant"),
    Parameter("_type", "string", "resource types, with commas between them", repeats=True),
    Parameter("_typeFilter", "string", "a search that narrows a type, such as `DocumentReference?status=current`; "
              "the results of several for one type are joined", repeats=True),
    Parameter("_elements", "string", "elements to show, with commas between them"),
    Parameter("patient", "Reference", "only these patients; others are ignored, known or not", repeats=True),
)  # fmt: skip
_SAYS = (
    "Asks for an export: the answer is 202, with the address of its state in `Content-Location`. A file holds what the "
    "caller's searches would show when the file is fetched, space by space, and each space is told of it. Of a "
    "professional it holds spaces that this person has entered before in the same establishment, of software "
    "the spaces in which it filed documents, and of a patient the own space."
)


def _operation(type_: str, title: str, documentation: str, *, instance: bool = False) -> Operation:
    return Operation(
        "export",
        type_,
        title,
        f"{documentation} {_SAYS}",
        partial(_export, type_),
        _PARAMETERS,
        instance=instance,
        affects_state=False,
        reads_request=True,
        answers=202,
    )


OPERATIONS = (
    _operation("", "Export what the caller may read", "Of all spaces."),
    _operation("Patient", "Export what the caller may read of patients", "The same as for the whole server."),
    _operation(
        "Group",
        "Export what the caller may read of those in care",
        "The id is that of the caller's own establishment (Organization): the group is who is admitted there now.",
        instance=True,
    ),
)
