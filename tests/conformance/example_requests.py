"""The requests of the examples, as people and software of the demonstration send them.

Ids that the server gives stand as samples (`SAMPLES`); whoever sends a request puts those of a loaded demonstration in.
"""

from fhir_server.domain.values import Json
from seed import cast, choices
from seed.book import Demonstration
from seed.documents import CLASSES, LOINC
from seed.filing import Filing, Place, simplified
from seed.people import author_resource, source_resource

SAMPLES = {
    "patient": "aaaaaaaa-0000-4000-8000-000000000001",
    "document": "aaaaaaaa-0000-4000-8000-000000000002",
    "practitioner": "aaaaaaaa-0000-4000-8000-000000000003",
    "organization": "aaaaaaaa-0000-4000-8000-000000000004",
    "new": "aaaaaaaa-0000-4000-8000-000000000005",
}
"""Ids of Camille, of her hospital report, of Dr Stern and of the hospital; the last is chosen by who files."""
TOKENS = {
    "stranger": "",
    "patient": "camille",
    "guardian": "camille/leo",
    "professional": "paul",
    "unrelated": "stern",
    "software": "chu-a-ehr",
    "auditor": "dana",
}
"""Each persona with the name of its token in demo.json."""
_FIRST_DEPOSIT = {"subtype": "http://hl7.org/fhir/restful-interaction|create", "_sort": "date", "_count": "1"}
_FILED = "2026-03-02T09:00:00Z"


def real_ids(demo: Demonstration) -> dict[str, str]:
    """Return the id of a loaded demonstration for each sample but that which whoever files chooses."""
    return {
        SAMPLES["patient"]: str(demo.patients["camille"]),
        SAMPLES["document"]: demo.documents["camille-hospital-report"],
        SAMPLES["practitioner"]: demo.professionals["stern"],
        SAMPLES["organization"]: demo.organizations["chu-a"],
    }


def requests() -> list[Json]:
    """Return the requests, in the order in which they are sent."""
    return [*_of_a_stranger(), *_of_the_patient(), *_of_a_guardian(), *_of_professionals(), *_of_software(), *_audits()]


def _of_a_stranger() -> list[Json]:
    return [
        _ask(
            "stranger",
            "CodeSystem-lookup-of-type-by-get",
            "The meaning of a document type",
            system=LOINC,
            code="34112-3",
        ),
        _ask("stranger", "search-DocumentReference", "Nothing without a token", **_reports("camille")),
    ]


def _of_the_patient() -> list[Json]:
    ids = {"path": {"id_": SAMPLES["document"]}}
    block, professional = _sample_block(), f"{cast.RPPS}|{cast.professional('stern').rpps}"
    return [
        _ask("patient", "search-Patient", "Herself, by her national number", identifier=_number("camille")),
        _ask("patient", "search-DocumentReference", "Her reports of hospitals", **_reports("camille")),
        _ask("patient", "read-DocumentReference", "One of her documents") | ids,
        _ask("patient", "DocumentReference-audience-by-get", "Who could see this document") | ids,
        _ask(
            "patient", "DocumentReference-docref-by-get", "Her reports of hospitals, by the operation $docref",
            patient=SAMPLES["patient"], type=f"{LOINC}|34112-3",
        ),
        _ask("patient", "search-AuditEvent", "The first deposit in her journal", date="ge2026-01-01", **_FIRST_DEPOSIT),
        _ask("patient", "search-Practitioner", "A professional of the directory", identifier=professional),
        _ask("patient", "search-Organization", "A hospital of the directory", identifier=_hospital()),
        _ask("patient", "create-Consent", "She blocks a professional") | _json(block),
    ]  # fmt: skip


def _of_a_guardian() -> list[Json]:
    kind = {"type": f"{LOINC}|11369-6", "status": "current"}
    return [
        _ask("guardian", "search-Patient", "The child", _count="1"),
        _ask(
            "guardian", "search-DocumentReference", "The child's vaccinations",
            **{"patient.identifier": _number("leo")}, **kind,
        ),
    ]  # fmt: skip


def _of_professionals() -> list[Json]:
    ids = {"path": {"id_": SAMPLES["document"]}}
    space = {"path": {"id_": SAMPLES["patient"]}}
    return [
        _ask("professional", "search-DocumentReference", "Reports of hospitals", **_reports("camille")),
        _ask("professional", "read-DocumentReference", "A document that he may see") | ids,
        _ask("professional", "Patient-explain-by-get", "Why he may enter") | space,
        _ask("unrelated", "search-DocumentReference", "No proof of care", **_reports("camille")),
        _ask("unrelated", "read-DocumentReference", "Not found, like an id that never was") | ids,
        _ask("unrelated", "Patient-explain-by-get", "Why he may not enter") | space,
    ]


def _of_software() -> list[Json]:
    return [
        _ask("software", "search-Organization", "Its own hospital", identifier=_hospital()),
        _ask("software", "search-Patient", "A patient, by the national number", identifier=_number("camille")),
        _ask("software", "search-DocumentReference", "What it has filed", **_reports("camille")),
        _ask("software", "create-DocumentReference", "File a document (ITI-105)") | _json(_sample_document()),
    ]


def _audits() -> list[Json]:
    first = {"patient.identifier": _number("camille"), "date": "ge2026-01-01"} | _FIRST_DEPOSIT
    return [
        _ask("auditor", "search-DocumentReference", "No document for auditors", **_reports("camille")),
        _ask("auditor", "search-AuditEvent", "The first deposit in the journal of one space", **first),
        _ask("auditor", "AuditEvent-case-queue-by-get", "The cases that wait"),
    ]


def _ask(persona: str, operation: str, summary: str, **query: str) -> Json:
    return {"operation": operation, "persona": persona, "summary": summary} | ({"query": query} if query else {})


def _json(body: Json) -> Json:
    return {"media": "application/fhir+json", "body": body}


def _number(patient: str) -> str:
    return f"{cast.INS_TEST}|{cast.patient(patient).ins_value}"


def _hospital() -> str:
    return f"{cast.FINESS}|{cast.establishment('chu-a').finess}"


def _reports(patient: str) -> dict[str, str]:
    return {"patient.identifier": _number(patient), "type": f"{LOINC}|34112-3", "status": "current", "_count": "1"}


def _sample_block() -> Json:
    demo = Demonstration("", "")
    demo.patients["camille"] = SAMPLES["patient"]  # type: ignore[assignment]
    demo.professionals["stern"], demo.organizations["chu-a"] = SAMPLES["practitioner"], SAMPLES["organization"]
    return choices.block(demo, "camille", "stern") | {"dateTime": _FILED}


def _sample_document() -> Json:
    place = cast.establishment("chu-a")
    filing = Filing(
        unique_id="", title="Compte rendu d’hospitalisation", date=_FILED, mime="text/plain",
        content=b"Suites simples.", patient=SAMPLES["patient"],  # type: ignore[arg-type]
        type_=(LOINC, "34112-3", "CR hospitalier (séjour)"), category=("10", CLASSES["10"]),
        author=author_resource(cast.professional("elsa")), source_patient=source_resource(cast.patient("camille")),
        place=Place(SAMPLES["organization"], place.sector, place.setting),
    )  # fmt: skip
    document = simplified(filing)
    document["masterIdentifier"]["value"] = f"urn:uuid:{SAMPLES['new']}"
    return document
