"""New versions and deletions of stored documents, and who may ask for them.

Source: ANS PDSM4DMP, TD2.1 and TD3.3c (rules J2 and J3); docs/labels.md for the marks.
"""

from collections.abc import Iterator
from dataclasses import replace

import orjson

from consent_rules.consents.visibility_marks import may_change_marks, may_file
from consent_rules.decision.decision_context import context_of
from consent_rules.model import Deny, RuleApplied
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, Mark, Reason, RequesterKind
from fhir_server.application.core.access import IN_DIRECTORY, PATIENTS_SIDE
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.documents import replacement_chain
from fhir_server.domain import bodies, references
from fhir_server.domain.caller import Caller
from fhir_server.domain.documents.security_labels import labels_of, split_marks
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Facts, Stored, authored_of
from fhir_server.domain.values import Json
from fhir_server.r4.parsing import load_json
from fhir_server.registry import REGISTRY

Identifiers = frozenset[tuple[str, str]]

_WITHDRAWERS = "only its author, or the establishment whose software filed it, may withdraw a document"
_TOLD = {
    Reason.ALREADY_SEEN: "a document cannot be hidden from a patient who already sees it; file a new document",
    Reason.MARKS_EXCLUDE_EACH_OTHER: "these two marks exclude each other",
    Reason.SEALING_NEEDS_CARE: "only somebody who treats the patient may seal a document: access on more than a "
    "declaration, or a third party's record that the establishment cares for the patient",
}
"""The texts of denials that depend on the document, or on what the requester may read, by reason."""


def is_of(work: UnitOfWork, document: Stored) -> bool:
    """Tell whether the calling person filed a document or is one of its authors."""
    requester = work.caller.requester
    if requester.person and requester.person == document.facts.access.owner_person:
        return True
    body = load_json(document.body)
    contained = {f"#{inner.get('id')}": inner for inner in body.get("contained", [])}
    own = _identifiers(_read(work, requester.person) or {})
    return any(_is_person(work, author, contained, own) for author in _people(work, body.get("author", []), contained))


def _people(work: UnitOfWork, authors: list[Json], contained: dict[str, Json]) -> Iterator[Json]:
    """Yield the references of authors, and for a practice situation also the reference of its person."""
    for author in authors:
        yield author
        literal = str(author.get("reference", ""))
        resource = contained.get(literal) or _read(work, literal) or {}
        if resource.get("resourceType") == "PractitionerRole":
            yield resource.get("practitioner", {})


def _is_person(work: UnitOfWork, named: Json, contained: dict[str, Json], own: Identifiers) -> bool:
    """Tell whether a reference names the calling person, by id or by an identifier of that person."""
    literal = str(named.get("reference", ""))
    target = references.split(literal, work.runtime.fhir_base)
    if target and "/".join(target) == work.caller.requester.person:
        return True
    resource = contained.get(literal, {})
    written = resource.get("identifier", []) if resource.get("resourceType") == "Practitioner" else []
    return bool(own & _identifiers({"identifier": [*written, named.get("identifier", {})]}))


def _read(work: UnitOfWork, literal: str) -> Json | None:
    """Return a Practitioner or PractitionerRole of the directory, None when there is none."""
    target = references.split(literal, work.runtime.fhir_base)
    if not target or target[0] not in ("Practitioner", "PractitionerRole"):
        return None
    found = work.snapshot.read(*target, IN_DIRECTORY)
    return load_json(found.body) if found else None


def _identifiers(resource: Json) -> Identifiers:
    pairs = ((str(one.get("system", "")), str(one.get("value", ""))) for one in resource.get("identifier", []))
    return frozenset(pair for pair in pairs if all(pair))


def demand_marks(work: UnitOfWork, facts: AccessFacts, wanted: Mark, expression: str) -> None:
    """Refuse a change of marks that the rules deny.

    facts: of the document before the change. Raises: Problem(BUSINESS_RULE) or FORBIDDEN.
    """
    if wanted == facts.marks:
        return
    answer = may_change_marks(work.asks(Action.CHANGE_MARKS), work.record(), facts, wanted, work.runtime.profile)
    if isinstance(answer, RuleApplied):
        return
    raise _refused(answer, expression)


def demand_filing_marks(work: UnitOfWork, asked: Mark, replaced: AccessFacts | None, expression: str) -> None:
    """Refuse marks of a new document that the rules deny.

    replaced: facts of the document that it replaces. Raises: Problem(BUSINESS_RULE) or FORBIDDEN.
    """
    if asked is Mark.NONE:
        return
    record = work.rules_on(work.record())
    context = context_of(work.asks(Action.DEPOSIT), record, work.runtime.matrix, work.runtime.profile)
    answer = may_file(context, asked, replaced)
    if not isinstance(answer, RuleApplied):
        raise _refused(answer, expression)


def _refused(refusal: Deny, expression: str) -> Problem:
    for reason, text in _TOLD.items():
        if refusal.reason == reason:
            return Problem.of(Category.BUSINESS_RULE, text, expression, reason.value)
    return Problem.of(Category.FORBIDDEN, "you may not set this visibility", expression)


def document_facts(resource: Json, access: AccessFacts, root: str) -> Facts:
    """Return the facts of a document; root: id of the first document of its replacement chain."""
    facts = facts_of(resource, access, REGISTRY["DocumentReference"])
    judged = replace(access, id=str(resource["id"]), authored=authored_of(facts.dates), labels=labels_of(resource))
    return replace(facts, access=judged, tokens=facts.tokens | {replacement_chain.token_of(root)})


def rewrite(work: UnitOfWork, before: Stored, resource: Json) -> Stored:
    """Plan a new version of a document; its marks stay as they are. before: as it was read."""
    latest, version = work.latest(before), work.next_version(before)
    body = bodies.stamped(split_marks(resource)[0], before.id, version, work.stamp)
    root = replacement_chain.root_of(work, before)
    facts = document_facts(orjson.loads(body), latest.facts.access, root)
    after = replace(latest, version=version, last_updated=work.stamp, body=body, facts=facts)
    work.change(before, after)
    return after


def withdraw(work: UnitOfWork, before: Stored) -> Stored:
    """Plan the deletion of a document and of its content; the versions stay in the store.

    Raises: Problem(FORBIDDEN) when the caller may not withdraw it.
    """
    _demand_withdrawer(work, before)
    after = replace(before, version=work.next_version(before), deleted=True, body=b"", last_updated=work.stamp)
    work.change(before, after)
    url = orjson.loads(before.body)["content"][0]["attachment"].get("url", "")
    target = references.split(url, work.runtime.fhir_base)
    content = (
        work.read(*target, whole_space(ReadingReason.REPLACEMENTS, before.facts.access.compartment)) if target else None
    )
    if content and content.facts.documents == (before.id,):
        gone = replace(content, version=content.version + 1, deleted=True, body=b"", last_updated=work.stamp)
        work.change(content, gone)
    return after


def _demand_withdrawer(work: UnitOfWork, document: Stored) -> None:
    """Refuse a withdrawal by anybody but the author, or the establishment whose software filed the document (J2, V18).

    The rule profile says which of both withdraws. Whoever files in person is an author here; the patient's side
    withdraws what it filed (J5). Colleagues of the same establishment may replace a document but not withdraw it.
    Raises: Problem(FORBIDDEN).
    """
    kind, allowed = work.caller.requester.kind, work.runtime.profile.withdrawn_by
    if kind is RequesterKind.PROFESSIONAL:
        may = "author" in allowed and is_of(work, document)
    else:
        demand_depositor(work, document, "DocumentReference.status")
        by_software = bool(document.facts.access.owner_client)
        may = kind in PATIENTS_SIDE or ("establishment" in allowed and by_software)
    if not may:
        raise Problem.of(Category.FORBIDDEN, _WITHDRAWERS, "DocumentReference.status", "not-author")


def demand_depositor(work: UnitOfWork, stored: Stored, expression: str) -> None:
    """Refuse a change by anybody but the depositor of the document: its person, establishment or software.

    Raises: Problem(FORBIDDEN).
    """
    if not is_depositor(work.caller, stored):
        text = "only the depositor of a document may replace, withdraw or correct it"
        raise Problem.of(Category.FORBIDDEN, text, expression, "not-depositor")


def is_depositor(caller: Caller, stored: Stored) -> bool:
    """Tell whether the caller filed a document: as a person, for its establishment, or as software alone."""
    requester = caller.requester
    own = requester.identities if requester.person else requester.identities | {requester.client}
    return bool(own & stored.facts.access.owners)
