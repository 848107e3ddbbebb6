"""Traces of accesses: what a patient and an auditor read of them (IHE BALP, RESTful ATNA), and consents (IHE PCF).

Sources: https://profiles.ihe.net/ITI/BALP/; https://profiles.ihe.net/ITI/RESTful-ATNA/ (ITI-81).
"""

from datetime import UTC, datetime, timedelta

from fhir_server.conformance.exchange import Resource
from fhir_server.conformance.requirement import Guide, Need, NotApplicable, Probe, entries_of, expect, object_of
from fhir_server.conformance.rest import interactions_of, one_document, types_of
from fhir_server.conformance.searching import found

GUIDE = Guide("audit", "https://profiles.ihe.net/ITI/")
_OF_PATIENT = (Need.READER, Need.PATIENT)
_PARAMETERS = ("action", "date", "entity", "outcome", "subtype", "type")
_CLOCKS_APART = timedelta(minutes=5)


def _traces(probe: Probe) -> list[Resource]:
    """Return the latest traces about the test patient.

    Raises: NotApplicable when the server searches no AuditEvent, or the reader may read none.
    """
    if "search-type" not in interactions_of(types_of(probe).get("AuditEvent", {})):
        raise NotApplicable("the CapabilityStatement offers no search of AuditEvent")
    answer = probe.get("AuditEvent", {"patient": probe.target.patient, "_sort": "-date", "_count": "50"})
    if answer.status == 403:
        raise NotApplicable("the reader may not read traces")
    return found(answer)


@GUIDE.requires("BALP-read-is-traced", "BALP/content.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A read of a document is in the trail when its answer has arrived, with the document or at least the patient."""
    asked = datetime.now(UTC)
    place = one_document(probe)
    probe.get(place)
    recent = [one for one in _traces(probe) if _recorded(one) >= asked - _CLOCKS_APART]
    named = {
        str(object_of(entity, "what").get("reference", "")) for one in recent for entity in entries_of(one, "entity")
    }
    expect(any(place in reference for reference in named), f"an AuditEvent that names {place}")


@GUIDE.requires("BALP-events", "BALP/content.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """Each trace has its type, time and source, one agent that asked, and the patient among its entities."""
    patient = f"Patient/{probe.target.patient}"
    for one in _traces(probe):
        name = f"AuditEvent/{one.get('id')}"
        expect(one.get("type") and one.get("recorded") and object_of(one, "source").get("observer"), f"type of {name}")
        asking = [agent for agent in entries_of(one, "agent") if agent.get("requestor") is True]
        expect(len(asking) == 1, f"one agent of {name} with requestor = true")
        about = [str(object_of(entity, "what").get("reference", "")) for entity in entries_of(one, "entity")]
        expect(any(reference.endswith(patient) for reference in about), f"{patient} among the entities of {name}")


@GUIDE.requires("ITI-81-parameters", "RESTful-ATNA/ITI-81.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A search of traces understands the parameters of ITI-81 that a patient's journal needs."""
    _traces(probe)
    values = {"action": "R", "date": "ge2000-01-01", "entity": "DocumentReference/none", "outcome": "0"}
    for name in _PARAMETERS:
        asked = {"patient": probe.target.patient, name: values.get(name, "rest"), "_count": "1"}
        answer = probe.get("AuditEvent", asked, {"Prefer": "handling=strict"})
        expect(answer.status == 200, f"200 for AuditEvent?{name}={asked[name]}")


@GUIDE.requires("ITI-81-date", "RESTful-ATNA/ITI-81.html", Need.AUDITOR)
def _(probe: Probe) -> None:
    """An auditor searches the traces of a span of time over all patients, and must name that span."""
    day = datetime.now(UTC)
    span = [f"ge{(day - timedelta(days=1)).date()}", f"le{(day + timedelta(days=1)).date()}"]
    answer = probe.get(f"AuditEvent?date={span[0]}&date={span[1]}&_count=1", need=Need.AUDITOR)
    expect(answer.status == 200, "200 with the traces of two days")
    expect(400 <= probe.get("AuditEvent", need=Need.AUDITOR).status < 500, "a refusal without `date`")


@GUIDE.requires("PCF-consents", "PCF/ITI-108.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """The consents of the patient are found, each with status, scope, category and patient."""
    if "search-type" not in interactions_of(types_of(probe).get("Consent", {})):
        raise NotApplicable("the CapabilityStatement offers no search of Consent")
    answer = probe.get("Consent", {"patient": probe.target.patient})
    if answer.status == 403:
        raise NotApplicable("the reader may not read consents")
    for one in found(answer):
        missing = [name for name in ("status", "scope", "category", "patient") if not one.get(name)]
        expect(not missing, f"{', '.join(missing)} of Consent/{one.get('id')}")


def _recorded(event: Resource) -> datetime:
    """Return when an event was recorded; the year 1 when it does not say."""
    try:
        return datetime.fromisoformat(str(event.get("recorded", "")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
