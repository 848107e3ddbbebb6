"""Filing a structured document whose description the server generates from the document itself (ITI-106).

A CDA document or a FHIR document is read for its metadata; then it is filed as a simplified publication is.
Source: https://profiles.ihe.net/ITI/MHD/ITI-106.html; docs/adr/0117-descriptions-from-documents.md.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass, replace
from functools import partial

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import Written, carry_out
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.documents import publication
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import translator
from fhir_server.domain.documents import bundle_metadata, cda_metadata
from fhir_server.domain.documents.generated import Generated
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Interaction, Json
from fhir_server.r4.checking import check
from fhir_server.r4.parsing import parse
from fhir_server.registry import DOCUMENT, REGISTRY

_ROW = REGISTRY[DOCUMENT]
GENERATION = AuditedInteraction(Interaction.CREATE, _ROW.name, "ITI-106")
_CDA = frozenset({"text/xml", "application/xml", "application/hl7-v3+xml", "application/hl7-cda+xml"})
_FHIR = frozenset({"application/fhir+json", "application/fhir+xml", "application/json"})


@dataclass(frozen=True, slots=True)
class Filed:
    """A document that was filed, and the parts of it for which its description has no element."""

    written: Written
    notes: tuple[Issue, ...]


@translator
def file_binary(runtime: Runtime, caller: Caller, binary: Json) -> Filed:
    """File the structured document that a Binary holds.

    Raises: Problem(INVALID) or UNSUPPORTED for what is no structured document; whatever a simplified publication
    raises.
    """
    return _file(runtime, caller, of_binary(binary))


@translator
def file_bundle(runtime: Runtime, caller: Caller, bundle: Json) -> Filed:
    """File a FHIR document. Raises: as `file_binary`."""
    return _file(runtime, caller, bundle_metadata.metadata_of(bundle))


def of_binary(binary: Json) -> Generated:
    """Return the description of the document that a Binary holds; its media type stays.

    Raises: Problem(UNSUPPORTED) for a media type of no structured document; INVALID for a content that is none.
    """
    kind = str(binary.get("contentType", "")).partition(";")[0].strip().lower()
    try:
        content = b64decode(str(binary.get("data", "")), validate=True)
    except NotBase64 as error:
        raise Problem.of(Category.INVALID, "the content is no base64", "Binary.data", "value") from error
    if kind in _CDA:
        return _as_sent(cda_metadata.metadata_of(content), str(binary["contentType"]))
    if kind in _FHIR:
        return bundle_metadata.metadata_of(parse(content, kind, "Bundle"))
    text = "only a CDA document (text/xml) and a FHIR document are structured enough to be described"
    raise Problem.of(Category.UNSUPPORTED, text, "Binary.contentType", "not-supported")


def _as_sent(generated: Generated, kind: str) -> Generated:
    content = generated.resource["content"][0]
    attachment = content["attachment"] | {"contentType": kind}
    return replace(generated, resource=generated.resource | {"content": [content | {"attachment": attachment}]})


def _file(runtime: Runtime, caller: Caller, generated: Generated) -> Filed:
    faults = [*check(generated.resource, _ROW.name)]
    if faults:
        raise Problem(Category.INVALID, *faults)
    request = WriteRequest(Interaction.CREATE, _ROW, resource=generated.resource)
    written = carry_out(runtime, caller, GENERATION, partial(publication.plan_document, request=request))
    return Filed(written, (*generated.notes, *written.notes))
