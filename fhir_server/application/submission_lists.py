"""The Lists of a submission: the submission set, which the server may derive, and its folders.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105; PDSm 3.1.1, flux 01.
"""

from typing import Any
from uuid import UUID

import orjson

from consent_rules.visibility import AccessFacts
from fhir_server.application import resolving, revising
from fhir_server.application.filing import Filing, claim, refuse_dangling, stored
from fhir_server.application.indexing import facts_of
from fhir_server.application.writing import Written
from fhir_server.domain import bodies, pointers
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.submission import IDENTIFIER_TYPES, LIST_TYPES, SOURCE_ID, Item, unique_id
from fhir_server.r4.parsing import load_json
from fhir_server.registry import REGISTRY

Json = dict[str, Any]


def file_lists(filing: Filing) -> None:
    """Plan the submission set and the new folders."""
    submission = filing.submission
    for item in (*submission.folders, *((submission.set,) if submission.set.resource else ())):
        refuse_dangling(filing, (item,))
        resource = filing.located(item.resource)
        if item is submission.set:
            resource = _with_unique_id(filing, resource)
            claim(filing, "submission", unique_id(resource), f"{item.root}.identifier")
        filing.work.put(_stored_list(filing, resource, filing.ids[item.index], filing.own))


def derived_set(filing: Filing, document_id: str, document: Json) -> None:
    """Plan the submission set that a simplified publication stands for."""
    client = filing.work.caller.requester.client
    resource: Json = {
        "resourceType": "List",
        "extension": [{"url": SOURCE_ID, "valueIdentifier": {"value": client or filing.depositor}}],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": LIST_TYPES, "code": "submissionset"}]},
        "subject": {"reference": f"Patient/{filing.patient}"},
        "date": bodies.instant(filing.work.at),
        "entry": [{"item": {"reference": f"DocumentReference/{document_id}"}}],
    }
    authors = [author for author in document.get("author", []) if not str(author.get("reference", "#")).startswith("#")]
    if authors:
        resource["source"] = authors[0]
    resource = _with_unique_id(filing, resource)
    filing.work.put(_stored_list(filing, resource, filing.ids[-1], filing.own))


def update_folder(filing: Filing, item: Item) -> Written:
    """Plan a new version of a folder: entries are added, none is taken out.

    A folder is updated by whoever made it; entries that the caller does not see stay where they are.
    Raises: Problem(BUSINESS_RULE) for a folder that is not seen; INVALID for another `id`; FORBIDDEN.
    """
    work = filing.work
    where = f"Bundle.entry[{item.index}].request.url"
    target = pointers.split(item.url, work.runtime.fhir_base)
    before = work.read("List", target[1], filing.seen) if target else None
    if before is None:
        raise Problem(Category.BUSINESS_RULE, resolving.unknown(where))
    if item.resource.get("id") != before.id:
        raise Problem.of(Category.INVALID, "`id` is not the one of the URL", f"{item.root}.id", "value")
    revising.demand_depositor(work, before, where)
    refuse_dangling(filing, (item,))
    resource = filing.located(item.resource)
    old: list[Json] = load_json(before.body).get("entry", [])
    kept = {entry["item"].get("reference") for entry in old}
    added = [entry for entry in resource.get("entry", []) if entry["item"].get("reference") not in kept]
    resource |= {"entry": [*old, *added]}
    after = _stored_list(filing, resource, before.id, before.facts.access, before.version + 1)
    work.change(before, after)
    return filing.written("List", before.id, created=False)


def _stored_list(filing: Filing, resource: Json, id_: str, access: AccessFacts, version: int = 1) -> Stored:
    body = bodies.stamped(resource, id_, version, filing.work.at)
    facts = facts_of(orjson.loads(body), access, REGISTRY["List"])
    return stored("List", id_, filing.work.at, body, facts, version)


def _with_unique_id(filing: Filing, resource: Json) -> Json:
    """Return a submission set with a unique id: the server assigns one when the source sent none."""
    if unique_id(resource):
        return resource
    number = UUID(filing.work.runtime.ports.ids.new()).int
    assigned = {
        "type": {"coding": [{"system": IDENTIFIER_TYPES, "code": "uniqueId"}]},
        "system": "urn:ietf:rfc:3986",
        "value": f"urn:oid:2.25.{number}",
    }
    return resource | {"identifier": [*resource.get("identifier", []), assigned]}
