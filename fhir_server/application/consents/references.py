"""What a Consent refers to: persons, other resources, and the document that shows a written agreement.

A Consent that names an unknown person or resource is refused, naming the element: otherwise the patient would believe
that somebody gets or loses access.
Source: https://hl7.org/fhir/R4/consent.html (actor, performer, organization, source); docs/consents.md, "Actors".
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha1

from consent_rules.consents.recording import grade_of_writing
from consent_rules.decision.decision_context import context_of
from consent_rules.vocabulary import Action, Grade, RequesterKind
from fhir_server.application.core.access import IN_DIRECTORY, Opened
from fhir_server.application.core.enforcement_point import judge_again
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.reading import conditional
from fhir_server.domain import references
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.ports.store import Filters
from fhir_server.registry import DOCUMENTS, PATIENT, REGISTRY, AccessRule, ResourceType

Named = tuple[str, str, str]
"""(expression, type, id) of one reference."""

_ELEMENTS = ("performer", "organization", "sourceReference", "provision")


def demand_known(work: UnitOfWork, consent: Json, root: str) -> None:
    """Refuse a Consent with a literal reference to something that the caller may not know; skip contained resources.

    root: the FHIRPath of the Consent. `replacement_chain.resolved` checks the documents that `provision.data` names.
    Raises: Problem(BUSINESS_RULE) naming every such reference, hidden and unknown ones alike.
    """
    named = list(_named(work, consent, root))
    known = {type_: _known(work, type_, _ids(named, type_)) for type_ in {type_ for _, type_, _ in named}}
    faults = [conditional.unknown_reference(expression) for expression, type_, id_ in named if id_ not in known[type_]]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _named(work: UnitOfWork, consent: Json, root: str) -> Iterator[Named]:
    for element in _ELEMENTS:
        if element not in consent:
            continue
        for expression, reference in references.references_in(consent[element], f"{root}.{element}"):
            literal = str(reference["reference"])
            if literal.startswith("#") or ".data[" in expression:
                continue
            yield (f"{expression}.reference", *(references.split(literal, work.runtime.fhir_base) or ("", literal)))


def _ids(named: list[Named], type_: str) -> frozenset[str]:
    return frozenset(id_ for _, other, id_ in named if other == type_)


def _known(work: UnitOfWork, type_: str, ids: frozenset[str]) -> frozenset[str]:
    """Return which ids of a type the caller may name: in the directory, in this space, or in the caller's view."""
    if type_ == PATIENT:
        return ids & {work.entered.patient}
    teams = (team.reference.partition("/") for team in work.entered.record.teams)
    of_space = ids & {id_ for kind, _, id_ in teams if kind == type_}
    filters = _filters_for(work, REGISTRY[type_]) if type_ in REGISTRY else None
    if filters is None:
        return of_space
    planned = {id_ for kind, id_ in work.writes if kind == type_}
    return (ids & planned) | work.snapshot.visible_ids(type_, ids, filters)


def writing_of(work: UnitOfWork, consent: Json, root: str) -> Grade | None:
    """Return the grade that a written agreement gives a consent, None when a professional shows no such document (V2).

    It is shown by a document of the space, or by an attachment with its hash. consent: whose references are known.
    Raises: Problem(BUSINESS_RULE) when the hash is not that of the data.
    """
    attachment = consent.get("sourceAttachment") or {}
    data, stated = attachment.get("data"), attachment.get("hash")
    if data and stated and b64encode(sha1(b64decode(data), usedforsecurity=False).digest()).decode() != stated:
        text = "this is not the hash (SHA-1, base64) of the attached data"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.sourceAttachment.hash", "hash-differs")
    literal = str((consent.get("sourceReference") or {}).get("reference", ""))
    type_, id_ = references.split(literal, work.runtime.fhir_base) or ("", "")
    filed = _document(work, id_) if type_ in DOCUMENTS else None
    if filed is None:
        return Grade.DECLARED if stated and (data or attachment.get("url")) else None
    context = context_of(work.asks(Action.DIRECT), work.record(), work.runtime.matrix, work.runtime.profile)
    return grade_of_writing(context, filed.facts.access)


def _document(work: UnitOfWork, id_: str) -> Stored | None:
    planned = work.writes.get(("DocumentReference", id_))
    seen = _filters_for(work, REGISTRY["DocumentReference"])
    return planned.after if planned else work.read("DocumentReference", id_, seen) if seen else None


def _filters_for(work: UnitOfWork, row: ResourceType) -> Filters | None:
    """Return what a Consent may name of a type, None for a type of which it may name nothing.

    The permit to record a consent shows a professional no document: they name what they read or filed.
    """
    opened = work.entered
    if row.access is AccessRule.DOCUMENT and work.caller.requester.kind is RequesterKind.PROFESSIONAL:
        again = judge_again(work, opened, Action.DEPOSIT)
        return again if isinstance(again, Opened) else None
    if row.of_person:
        return whole_space(ReadingReason.PERSONS_NAMED, opened.patient)
    if row.access is AccessRule.DIRECTORY:
        return IN_DIRECTORY if row.is_party else None  # nobody would get or lose access by a team or a place
    return opened if row.access in {AccessRule.DOCUMENT, AccessRule.DIRECTIVE} else None
