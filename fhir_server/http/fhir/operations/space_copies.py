"""`Patient/[id]/$export-space`: a copy of a whole space, for the patient or a representative to take along.

Source: docs/operations.md, "A copy of a whole space"; docs/adr/0149-a-copy-of-the-whole-space.md.
"""

from flask import Response

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.space_copies.copying import Asked
from fhir_server.domain.caller import Caller
from fhir_server.domain.space_archive.writing import MEDIA_TYPE
from fhir_server.http.fhir.exports import space_archive
from fhir_server.http.fhir.operations.model import Arguments, Operation
from fhir_server.http.fhir.operations.walking import sent
from fhir_server.http.request_context import header
from fhir_server.oauth.resource.bearer import is_in_force


def _export(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    space_archive.demand_zip()
    asked = Asked(caller, PatientId(id_), caller.granted.proof.at, sent([]))
    authorization = header("Authorization")
    return space_archive.sent(runtime, asked, lambda: is_in_force(runtime, authorization))


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
)
