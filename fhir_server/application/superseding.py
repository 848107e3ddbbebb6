"""What a submission replaces: older documents become superseded, by `relatesTo` or by a PATCH entry.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html);
PDSm 3.1.1, flux 02; ANS PDSM4DMP, TD2.1 (rule J3).
"""

from fhir_server.application import resolving, revising, scoping
from fhir_server.application.filing import Filing
from fhir_server.domain import pointers
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.submission import Item, replaced_by
from fhir_server.r4.parsing import load_json


def relate(filing: Filing) -> dict[int, str]:
    """Supersede what is replaced, by relatesTo or by PATCH; return the id of the document of each PATCH entry.

    Raises: Problem(BUSINESS_RULE) for a document that is not seen, replaced twice or superseded already; FORBIDDEN.
    """
    work, submission = filing.work, filing.submission
    patched: dict[int, str] = {}
    for item in submission.supersedes:
        target = _superseded_by_entry(filing, item)
        _supersede(filing, target, f"Bundle.entry[{item.index}].request.url")
        patched[item.index] = target.id
    for document in submission.documents:
        for index, literal in replaced_by(document.item.resource):
            where = f"{document.item.root}.relatesTo[{index}].target"
            target = _target(filing, filing.names.get(literal, literal), where)
            if any(other.id == target.id for other in filing.replaced.values()):
                raise Problem.of(Category.BUSINESS_RULE, "two documents replace the same one", where, "duplicate")
            if target.id not in patched.values():
                _supersede(filing, target, where)
            filing.replaced[document.item.index] = work.latest(target)
    return patched


def _superseded_by_entry(filing: Filing, item: Item) -> Stored:
    where = f"Bundle.entry[{item.index}].request.url"
    literal = item.url
    if resolving.is_conditional(literal):
        literal = resolving.resolve(filing.work, literal, where, filing.patient)
    return _target(filing, literal, where)


def _target(filing: Filing, literal: str, where: str) -> Stored:
    """Return the document that a reference names, if the caller sees it; a hidden one is as unknown as any other."""
    target = pointers.split(literal, filing.work.runtime.fhir_base)
    found = filing.work.read(*target, filing.seen) if target and target[0] == "DocumentReference" else None
    if found is None:
        raise Problem(Category.BUSINESS_RULE, resolving.unknown(where))
    return found


def _supersede(filing: Filing, target: Stored, where: str) -> None:
    """Plan the new status of a replaced document.

    Raises: Problem(FORBIDDEN) when the caller did not deposit it, BUSINESS_RULE when it is superseded already.
    """
    work = filing.work
    scoping.demand(work.caller, ("DocumentReference",), "u", filing.patient)
    revising.demand_depositor(work, target, where)
    resource = load_json(target.body)
    if resource.get("status") != "current":
        text = "this document has been superseded already"
        raise Problem.of(Category.BUSINESS_RULE, text, where, "XDSRegistryDeprecatedDocumentError")
    revising.rewrite(work, target, resource | {"status": "superseded"})
