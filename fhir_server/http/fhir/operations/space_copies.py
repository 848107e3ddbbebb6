"""`$export-space` and `$import-space`: a copy of a whole space, taken along, and brought to another server.

Source: docs/operations.md, "A copy of a whole space"; docs/adr/0149-a-copy-of-the-whole-space.md,
docs/adr/0150-bringing-a-copy-of-a-space.md.
"""

from flask import Response, request

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.space_copies import importing
from fhir_server.application.space_copies.copying import Asked
from fhir_server.application.space_copies.importing import Report
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.space_archive.writing import MEDIA_TYPE
from fhir_server.domain.values import Json
from fhir_server.http import request_rates
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.exports import space_archive
from fhir_server.http.fhir.operations.model import Arguments, Operation, outputs, parameters, part
from fhir_server.http.fhir.operations.walking import sent
from fhir_server.http.request_context import header
from fhir_server.oauth.resource.bearer import is_in_force


def _export(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    space_archive.demand_zip()
    asked = Asked(caller, PatientId(id_), caller.granted.proof.at, sent([]))
    authorization = header("Authorization")
    return space_archive.sent(runtime, asked, lambda: is_in_force(runtime, authorization))


def _import(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    if request.mimetype != MEDIA_TYPE:
        raise Problem.of(Category.UNSUPPORTED_MEDIA, f"an archive is sent as `{MEDIA_TYPE}`")
    meter, authorization = request_rates.meter_of(caller, runtime.profile.ceilings), header("Authorization")

    def before_each() -> None:
        meter.wait()
        if not is_in_force(runtime, authorization):
            raise Problem.of(Category.UNAUTHENTICATED, "the token has ended", code="invalid_token")

    report = importing.bring(runtime, caller, PatientId(id_), request.get_data(cache=False), before_each)
    return negotiation.fhir_response(_told(report))


def _told(report: Report) -> Json:
    named = [*(("recorded", one) for one in report.new), *(("known", one) for one in report.known)]
    here = [{"name": name, "valueReference": {"reference": one}} for name, one in named]
    return parameters(
        parts=[*here, *(part("leftOut", archived=archived, reason=why) for archived, why in report.left_out)]
    )


OPERATIONS = (
    Operation(
        "export-space",
        "Patient",
        "A copy of a whole space as a ZIP file",
        "Documents with their contents, choices, notices, the directory entries that these name, and the journal: all "
        "that single searches would show the caller, as NDJSON and files, with a manifest of the SHA-256 of each file "
        "and a README. For the patient and legal representatives, with a login of the last quarter of an hour.",
        _export,
        affects_state=False,
        media_type=MEDIA_TYPE,
    ),
    Operation(
        "import-space",
        "Patient",
        "Bring the copy of a space from another server",
        "The body is an archive of `$export-space`. It is checked whole: a file that is missing, added or changed is "
        "named, and nothing is stored. Then the current documents are filed as brought by the patient, and the "
        "patient's own choices recorded; what is here already stays as it is, so that the call may be repeated. For "
        "the patient and legal representatives, in the space of the person of whom the archive is.",
        _import,
        output=outputs(("recorded", "Reference"), ("known", "Reference"), ("leftOut", "BackboneElement")),
        reads_request=True,
        takes=MEDIA_TYPE,
    ),
)
