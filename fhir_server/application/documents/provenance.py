"""The record of a deposit: a Provenance for each submission says who filed which documents, for whom, and when.

It is written in the commit of the submission. Whoever sees one of the documents sees the Provenance, but in it only the
documents that they see. It says nothing that depends on a single document: otherwise it could show the author of a
hidden one.
Source: docs/adr/0089; https://hl7.org/fhir/R4/provenance.html.
"""

from collections.abc import Iterable, Iterator

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.documents.filing import Filing
from fhir_server.domain import bodies
from fhir_server.domain.caller import Caller
from fhir_server.domain.stored import Facts
from fhir_server.domain.values import Json
from fhir_server.registry import PATIENT, REGISTRY

_ROW = REGISTRY["Provenance"]
BROUGHT = "brought by the patient from another server"
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION = {"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE"}


def record_deposit(filing: Filing, documents: Iterable[str], lot: str) -> None:
    """Plan the Provenance of a submission. documents: their ids; lot: id of the submission set."""
    work, id_ = filing.work, filing.work.runtime.ports.ids.new()
    targets = [*(f"DocumentReference/{one}" for one in documents), f"List/{lot}"]
    at = bodies.instant(work.at)
    resource: Json = {
        "resourceType": _ROW.name,
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": at,
        "recorded": at,
        "activity": {"coding": [_OPERATION]},
        "agent": list(_agents(filing.work.caller, filing.patient)),
    } | _brought(filing.submission.brought_from)
    body = bodies.stamped(resource, id_, 1, work.stamp)
    facts = facts_of(resource, filing.own, _ROW)
    if not facts.documents:  # a submission of a folder alone: whoever sees its submission set sees who made it
        named = work.writes["List", lot].after.facts.documents
        facts = Facts(facts.access, facts.tokens, facts.lookup, facts.dates, named)
    work.put(work.version(_ROW.name, id_, 1, body, facts))


def _brought(origin: str) -> Json:
    """Return what says that the patient has brought the documents. origin: the server, "" for other submissions."""
    if not origin:
        return {}
    source = {"role": "source", "what": {"display": f"a copy of the patient's space on {origin}"}}
    return {"reason": [{"text": BROUGHT}], "entity": [source]}


def _agents(caller: Caller, patient: str) -> Iterator[Json]:
    """Yield who filed: the person, the software, and the establishment for which they did."""
    requester, granted = caller.requester, caller.granted
    place = {"reference": requester.organization, "display": granted.organization_display or None}
    behalf = place if requester.organization else None
    if requester.kind is RequesterKind.RELATED:
        behalf = {"reference": f"{PATIENT}/{patient}"}
    if requester.person:
        yield _agent("enterer", {"reference": requester.person, "display": granted.display or None}, behalf)
    software = {"type": "Device", "identifier": {"value": granted.client_id}}
    software |= {"display": granted.client_name or granted.client_id}
    yield _agent("assembler", software, None if requester.person else behalf)
    if requester.organization:
        yield _agent("custodian", place, None)


def _agent(role: str, who: Json, behalf: Json | None) -> Json:
    agent: Json = {"type": {"coding": [{"system": _PARTICIPANT, "code": role}]}, "who": _filled(who)}
    return agent | ({"onBehalfOf": _filled(behalf)} if behalf else {})


def _filled(reference: Json) -> Json:
    return {name: value for name, value in reference.items() if value is not None}
