"""Everybody reads everything: each type by its id, its versions, its history, and by a search of each space."""

from tests.golden.recording import Asking

UNKNOWN = "11111111-2222-4333-8444-555555555555"
DOCUMENTS = (
    "camille-hospital-report",
    "camille-emergency-visit",
    "camille-pathology",
    "camille-laboratory",
    "camille-lipids-first",
    "camille-psychiatry",
    "camille-allergy-note",
    "leo-vaccinations",
    "leo-emergency",
    "ines-midwife-visit",
    "marc-laboratory",
)
OF_A_PATIENT = ("DocumentReference", "List", "Consent", "Encounter", "Communication", "AuditEvent", "RelatedPerson")


def content_of(asking: Asking, who: str, document: str) -> str:
    """Return the path of the content of a document; a hospital's software reads what it has filed itself."""
    for reader in (who, "chu-a-ehr"):
        found = asking.get(reader, f"/DocumentReference/{document}").get_json()
        if "content" in found:
            return found["content"][0]["attachment"]["url"].partition("/fhir")[2]
    raise LookupError(document)


def holder_of(key: str) -> str:
    """Return who reads the documents of a patient: a parent of the child who has no account."""
    patient = key.partition("-")[0]
    return "camille/leo" if patient == "leo" else patient


def run(asking: Asking) -> None:
    """Let everybody read the same things."""
    paths = _paths(asking)
    for who in asking.everybody:
        for path in paths:
            asking.get(who, path)
        for path in _versioned(asking):
            asking.get(who, f"{path}/_history/1")
            asking.get(who, f"{path}/_history")
        for type_ in OF_A_PATIENT:
            for patient in asking.book["patients"].values():
                asking.get(who, f"/{type_}?patient={patient}&_count=5")
        for query in ("/Practitioner?family=Martin", "/Organization?name=CHU", "/PractitionerRole?role=70", "/Patient"):
            asking.get(who, query)
    _forms(asking)
    _conditions(asking)


def _paths(asking: Asking) -> list[str]:
    book = asking.book
    paths = [f"/Patient/{id_}" for id_ in book["patients"].values()]
    paths += [f"/Practitioner/{book['professionals']['martin']}", f"/PractitionerRole/{book['roles']['paul']}"]
    paths += [f"/Organization/{book['organizations']['chu-a']}"]
    paths += [f"/RelatedPerson/{id_}" for id_ in book["guardians"].values()]
    paths += [f"/DocumentReference/{book['documents'][key]}" for key in DOCUMENTS]
    paths += [content_of(asking, holder_of(key), book["documents"][key]) for key in DOCUMENTS if "ines" not in key]
    paths += [f"/Consent/{id_}" for id_ in book["consents"].values()]
    for who, patient in (("camille", "camille"), ("ines", "ines")):
        for type_ in ("List", "AuditEvent"):
            found = asking.ids(who, f"/{type_}?patient={book['patients'][patient]}")
            paths += [f"/{type_}/{id_}" for id_ in found[:2]]
    types = ("DocumentReference", "Binary", "Consent", "Patient", "Communication", "AuditEvent", "List", "Practitioner")
    return paths + [f"/{type_}/{UNKNOWN}" for type_ in types]


def _versioned(asking: Asking) -> list[str]:
    book = asking.book
    return [
        f"/Patient/{book['patients']['camille']}",
        f"/DocumentReference/{book['documents']['camille-hospital-report']}",
        f"/DocumentReference/{book['documents']['camille-emergency-visit']}",
        f"/DocumentReference/{book['documents']['ines-midwife-visit']}",
        f"/Consent/{book['consents']['camille-agrees-paul']}",
        f"/Practitioner/{book['professionals']['martin']}",
    ]


def _forms(asking: Asking) -> None:
    """Ask in each form of FHIR, wrongly too."""
    book = asking.book
    document = f"/DocumentReference/{book['documents']['camille-hospital-report']}"
    binary = content_of(asking, "camille", book["documents"]["camille-hospital-report"])
    patient = book["patients"]["camille"]
    paths = (
        document, binary, f"/Patient/{patient}", f"/DocumentReference?patient={patient}&_count=3",
        f"/AuditEvent?patient={patient}&_count=2", f"/Consent?patient={patient}", f"/DocumentReference/{UNKNOWN}",
        "/metadata",
    )  # fmt: skip
    accepts = (
        "application/fhir+xml", "application/xml", "application/json", "text/html", "application/pdf", "*/*",
        "nonsense",
        "application/fhir+json;fhirVersion=3.0", "application/fhir+xml;q=0.2, application/fhir+json;q=0.1",
    )  # fmt: skip
    for path in paths:
        for accept in accepts:
            asking.get("camille", path, Accept=accept)
        mark = "&" if "?" in path else "?"
        for asked in ("_format=xml", "_format=json", "_format=ttl", "_pretty=true", "_summary=true", "_summary=text",
                      "_summary=data", "_summary=count", "_elements=status,type", "_elements=nothing",
                      "unheard=1"):  # fmt: skip
            asking.get("camille", f"{path}{mark}{asked}")
        asking.get("camille", f"{path}{mark}unheard=1", Prefer="handling=strict")
        asking.fhir("camille", "HEAD", path)
        asking.fhir("camille", "OPTIONS", path)
        for language in ("en", "fr", "de", "en-GB,fr;q=0.5"):
            asking.get("camille", path, Accept_Language=language)
            asking.get("stern", path, Accept_Language=language)


def _conditions(asking: Asking) -> None:
    """Ask on a condition."""
    book = asking.book
    for who in ("camille", "paul", "stern"):
        for path in (
            f"/DocumentReference/{book['documents']['camille-hospital-report']}",
            f"/DocumentReference/{book['documents']['camille-emergency-visit']}",
            f"/Patient/{book['patients']['camille']}",
            f"/Practitioner/{book['professionals']['martin']}",
        ):
            for value in ('W/"1"', 'W/"2"', "*", '"1"', "broken"):
                asking.get(who, path, If_None_Match=value)
            asking.get(who, path, If_Modified_Since="Mon, 02 Mar 2026 09:00:00 GMT")
            asking.get(who, path, If_Modified_Since="Sun, 01 Mar 2026 09:00:00 GMT")
            asking.get(who, path, If_Modified_Since="yesterday")
