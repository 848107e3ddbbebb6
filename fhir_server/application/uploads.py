"""Holding what is filed against the rules about types, formats and size, before anything of it is stored.

Source: consent_rules.uploads (rules B12, J6 and J7 of docs/rules.md); docs/labels.md says it in words.
"""

from collections.abc import Iterable, Iterator, Mapping

from consent_rules.model import AccessRequest
from consent_rules.uploads import Unfit, Upload, unfit
from consent_rules.vocabulary import Action, Purpose
from fhir_server.application.enforcement import Opened
from fhir_server.application.writing import Work
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.submission import Document, attachment_of

_ATTACHMENT = "content[0].attachment"
_TOLD: Mapping[Unfit, tuple[str, str]] = {
    # why: what is told, and of which element
    Unfit.TYPE: ("what a patient files has a type of its own, DOCPAT01 to DOCPAT09 or EXPPAT_1 to EXPPAT_3", "type"),
    Unfit.MINOR: ("advance directives are written by persons of full age", "type"),
    Unfit.FORMAT: ("this format is not taken from a patient", f"{_ATTACHMENT}.contentType"),
    Unfit.SIZE: ("the content is larger than what is taken from a patient", _ATTACHMENT),
    Unfit.ELSEWHERE: ("what a patient files brings its content along", f"{_ATTACHMENT}.url"),
}


def demand_fit(work: Work, opened: Opened, documents: Iterable[tuple[Document, str]]) -> None:
    """Hold documents, each with its kind, against what may be filed.

    Raises: Problem(BUSINESS_RULE) with every fault of every document, each naming its element.
    """
    faults = [fault for document, kind in documents for fault in _faults(work, opened, document, kind)]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _faults(work: Work, opened: Opened, document: Document, kind: str) -> Iterator[Issue]:
    request = AccessRequest(work.caller.requester, Action.DEPOSIT, Purpose(work.caller.purpose), work.at)
    size = None if document.content is None else len(document.content)
    upload = Upload(kind, str(attachment_of(document.item.resource).get("contentType", "")), size)
    for why in unfit(request, work.record(opened), upload, work.runtime.matrix, work.runtime.profile):
        text, element = _TOLD[why]
        yield Issue(text, f"{document.item.root}.{element}", why.value)
