"""A life of choices: hide, block, agree, declare, delegate, minors, emergencies and their reviews, spaces."""

from typing import Any

from seed.filing import simplified, submission
from tests.golden.drive.reading import UNKNOWN
from tests.golden.drive.writing import INS, JSON_PATCH, TRE_A07, consent, filing
from tests.golden.recording import Asking

Json = dict[str, Any]
REPORT = "camille-hospital-report"
TEAM = ("camille", "martin", "paul", "zoe", "luc", "awa", "stern", "chu-a-ehr", "labo-lis", "matension", "marc", "dana")
DECLARED = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
FAMILY = (
    "ines", "camille/ines", "camille/leo", "marc/leo", "marc", "camille", "anna", "martin", "centre-sante-ehr",
    "annuaire", "stern",
)  # fmt: skip
IN_EMERGENCIES = ("awa+break-glass", "roux+regulation", "zoe+break-glass", "stern+break-glass", "martin+regulation")
DECLARING = (*IN_EMERGENCIES, "awa", "camille", "chu-a-ehr", "dana", "nobody")
REVIEWING = ("dana", "camille", "awa", "awa+break-glass", "martin", "stern", "marc", "ines")
OUTCOMES = ("justified", "not-justified", "disciplinary")
SETTINGS = (
    "hidden-in-emergency",
    "hidden-by-default",
    "care-history-hidden",
    "ask-first",
    "at-once",
    "told-of-filing",
    "withheld",
    "x",
)
G15 = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"


def run(asking: Asking) -> None:
    """Live through all of it; after each step the same people look."""
    _hide(asking)
    _archive_and_explain(asking)
    _choose(asking)
    _documents_for_some(asking)
    _defaults(asking)
    _minors(asking)
    _emergencies(asking)


def look(asking: Asking, of: str = "camille", whos: tuple[str, ...] = TEAM) -> None:
    """Let the same people search a space and look at the report."""
    for who in whos:
        asking.get(who, f"/DocumentReference?patient={asking.book['patients'][of]}&_elements=id&_count=50")
        asking.get(who, f"/DocumentReference/{asking.book['documents'][REPORT]}?_elements=id,status,securityLabel")


def label(code: str) -> Json:
    return {"coding": [{"system": TRE_A07, "code": code}]}


def parameters(**given: Any) -> Json:
    kinds = {"outcome": "valueCode", "erase": "valueBoolean"}
    parts = [{"name": name, kinds.get(name, "valueString"): value} for name, value in given.items()]
    return {"resourceType": "Parameters", "parameter": parts}


def _hide(asking: Asking) -> None:
    path = f"/DocumentReference/{asking.book['documents'][REPORT]}"
    for mark in ("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX", "NOTHING"):
        for who in ("marc", "paul", "stern", "matension", "chu-a-ehr", "camille"):
            add = [{"op": "add", "path": "/securityLabel/-", "value": label(mark)}]
            asking.fhir(who, "PATCH", path, add, mime=JSON_PATCH, note=f"add {mark}")
        look(asking)
    parts = [{"name": "type", "valueCode": "delete"},
             {"name": "path",
             "valueString": "DocumentReference.securityLabel.where(coding.exists(code='MASQUE_PS'))"}]  # fmt: skip
    show = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    for who in ("paul", "camille", "camille"):
        asking.fhir(who, "PATCH", path, show, note="show")
    look(asking)


def _archive_and_explain(asking: Asking) -> None:
    path = f"/DocumentReference/{asking.book['documents'][REPORT]}"
    archived = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
    for who in ("camille", "chu-a-ehr", "paul"):
        for value in (True, False):
            add = [{"op": "add", "path": "/extension", "value": [{"url": archived, "valueBoolean": value}]}]
            asking.fhir(who, "PATCH", path, add, mime=JSON_PATCH, note=f"archived {value}")
        withdraw = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
        other = f"/DocumentReference/{asking.book['documents']['camille-operative-report']}"
        asking.fhir(who, "PATCH", other, withdraw, mime=JSON_PATCH, note="withdraw")
    for who in TEAM:
        for proposed in ("", "?proposed=hidden", "?proposed=visible", "?proposed=nonsense"):
            asking.get(who, f"{path}/$audience{proposed}")
        asking.get(who, f"{path}/$explain", Accept_Language="fr")
        asking.get(who, f"{path}/$explain", Accept_Language="en")
        for type_ in ("", "?type=http://loinc.org|34112-3", "?type=11502-2", "?type=x"):
            asking.get(who, f"/Patient/{asking.book['patients']['camille']}/$explain{type_}")
    asking.get("camille", f"{path}/_history")


def _choose(asking: Asking) -> None:
    book = asking.book
    people = {key: f"Practitioner/{id_}" for key, id_ in book["professionals"].items()}
    places = {key: f"Organization/{id_}" for key, id_ in book["organizations"].items()}
    made = []
    for who, type_, actor, role in (
        ("camille", "deny", people["paul"], None), ("camille", "permit", people["zoe"], None), ("zoe", "permit",
        people["zoe"], None),
        ("stern", "permit", people["stern"], None), ("camille", "deny", places["chu-a"], None), ("camille", "permit",
        people["stern"], DECLARED),
        ("camille", "permit", people["paul"], DECLARED), ("marc", "permit", people["stern"], None), ("matension",
        "deny", people["zoe"], None),
        ("annuaire", "permit", people["stern"], None), ("camille", "permit", people["paul"], None), ("luc", "permit",
        places["chu-a"], None),
        ("dana", "deny", people["paul"], None), ("camille", "permit", places["cabinet-paul"], None), ("chu-a-ehr",
        "permit", places["chu-a"], None),
    ):  # fmt: skip
        answer = asking.fhir(who, "POST", "/Consent", consent(asking, type_, actor, role=role), note=f"{type_} {actor}")
        made += [answer.get_json()["id"]] if answer.status_code == 201 else []
        look(asking)
    for period in ({"end": "2026-03-02T23:00:00Z"}, {"start": "2026-05-01"}):
        given = consent(asking, "permit", people["anna"], provision={"period": period})
        asking.fhir("camille", "POST", "/Consent", given, note=f"for a time {period}")
    look(asking, whos=("anna", "stern"))
    for id_ in (*made, book["consents"]["camille-agrees-paul"], book["consents"]["camille-declares-martin"]):
        for who in ("paul", "marc", "camille"):
            found = asking.get("camille", f"/Consent/{id_}").get_json()
            asking.fhir(who, "PUT", f"/Consent/{id_}", found | {"status": "inactive"}, note="end")
        asking.fhir(
            "camille",
            "PATCH",
            f"/Consent/{id_}",
            [{"op": "replace", "path": "/status", "value": "active"}],
            mime=JSON_PATCH,
        )
    look(asking)
    for who in TEAM:
        asking.get(who, f"/Consent?patient={book['patients']['camille']}&_count=50")


def _documents_for_some(asking: Asking) -> None:
    book = asking.book
    data = [{"meaning": "instance", "reference": {"reference": f"DocumentReference/{book['documents'][REPORT]}"}}]
    ircp = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    martin = {"role": ircp, "reference": {"reference": f"Practitioner/{book['professionals']['martin']}"}}
    nurses = {"role": ircp, "reference": {"type": "PractitionerRole", "identifier": {"system": G15, "value": "60"}}}
    for who in ("camille", "paul", "marc"):
        for actors in ([martin], [nurses], [martin, nurses], []):
            provision = {"data": data} | ({"provision": [{"type": "permit", "actor": actors}]} if actors else {})
            given = consent(asking, "deny", "", provision=provision)
            answer = asking.fhir(who, "POST", "/Consent", given, note="a document for some")
            look(asking, whos=("martin", "luc", "paul", "awa", "chu-a-ehr"))
            if answer.status_code == 201:
                ended = answer.get_json() | {"status": "inactive"}
                asking.fhir(who, "PUT", f"/Consent/{ended['id']}", ended, note="end")


def _defaults(asking: Asking) -> None:
    patient = asking.book["patients"]["camille"]
    for kind in SETTINGS:
        rule = {"coding": [{"system": "urn:habilis:directive", "code": kind}]}
        for type_ in ("permit", "deny"):
            asking.fhir(
                "camille",
                "POST",
                "/Consent",
                consent(asking, type_, "", policyRule=rule),
                note=f"setting {kind} {type_}",
            )
    found = asking.get("camille", f"/Consent?patient={patient}&_count=100").get_json()
    for one in (item["resource"] for item in found.get("entry", [])):
        if "policyRule" in one and ":" in (code := one["policyRule"]["coding"][0]["code"]):
            for level in ("normal", "restricted", "delegation-and-normal", "full", "nonsense"):
                stem = code.rpartition(":")[0]
                rule = {"coding": [one["policyRule"]["coding"][0] | {"code": f"{stem}:{level}"}]}
                asking.fhir(
                    "camille", "PUT", f"/Consent/{one['id']}", one | {"policyRule": rule}, note=f"default {level}"
                )
                asking.fhir("paul", "PUT", f"/Consent/{one['id']}", one | {"policyRule": rule}, note=f"default {level}")
    fresh = filing(asking, 7001)
    asking.fhir(
        "chu-a-ehr", "POST", "", submission([fresh], f"{fresh.unique_id}.0"), note="a document after the defaults"
    )
    look(asking)


def _minors(asking: Asking) -> None:
    for of in ("leo", "ines"):
        look(asking, of, FAMILY)
        for who in FAMILY:
            for type_ in ("Consent", "AuditEvent", "Communication", "RelatedPerson"):
                asking.get(who, f"/{type_}?patient={asking.book['patients'][of]}&_count=20")
        for who in ("ines", "camille/ines", "camille/leo", "marc/leo", "anna", "annuaire"):
            given = consent(asking, "deny", f"Practitioner/{asking.book['professionals']['anna']}", of)
            answer = asking.fhir(who, "POST", "/Consent", given, note=f"{of} blocks anna")
            if answer.status_code == 201:
                ended = answer.get_json() | {"status": "inactive"}
                asking.fhir(who, "PUT", f"/Consent/{ended['id']}", ended, note="end")
    for key in ("ines-sport-certificate", "ines-midwife-visit", "ines-laboratory", "leo-certificate"):
        _mark(asking, f"/DocumentReference/{asking.book['documents'][key]}")
        look(asking, "ines", FAMILY)


def _mark(asking: Asking, path: str) -> None:
    for mark in ("INVISIBLE_REPRESENTANTS_LEGAUX", "MASQUE_PS"):
        for who in ("camille/ines", "marc/leo", "anna", "centre-sante-ehr", "ines"):
            add = [{"op": "add", "path": "/securityLabel/-", "value": label(mark)}]
            asking.fhir(who, "PATCH", path, add, mime=JSON_PATCH, note=f"add {mark}")


def _relatives(asking: Asking) -> None:
    """Delegate to a relative, and to a parent what a parent may be delegated."""
    book = asking.book
    related = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{book['patients']['camille']}"},
               "identifier": [{"system": "urn:golden", "value": "aunt"}], "name": [{"family": "Tante"}]}  # fmt: skip
    for who in ("camille", "annuaire", "chu-a-ehr"):
        made = asking.fhir(who, "POST", "/RelatedPerson", related)
        aunt = f"RelatedPerson/{made.get_json().get('id', UNKNOWN)}"
        for rule in ("", "carer", "guardian", "administrator", "representative", "x"):
            stated = {"policyRule": {"coding": [{"system": "urn:habilis:directive", "code": rule}]}} if rule else {}
            for chooser in ("camille", "annuaire", "marc"):
                for period in ({}, {"period": {"end": "2026-06-01"}}):
                    given = consent(asking, "permit", aunt, provision=period, **stated)
                    asking.fhir(chooser, "POST", "/Consent", given, note=f"relative {rule} {period}")
    asking.get("camille", f"/RelatedPerson?patient={book['patients']['camille']}")


def _emergencies(asking: Asking) -> None:
    for who in IN_EMERGENCIES:
        asking.tokens[who] = asking.server.token_in_mode(who)
    opened = [id_ for of in ("camille", "ines", "marc") for who in DECLARING for id_ in _declare(asking, who, of)]
    _look_at_reviews(asking, opened)
    for who in ("marc", "camille", "awa", "dana"):
        for opening in (*opened[:2], UNKNOWN):
            asking.fhir(who, "POST", f"/Consent/{opening}/$contest-emergency", parameters(comment="I was awake"))
            asking.fhir(who, "POST", f"/Consent/{opening}/$contest-emergency", None)
    for who in REVIEWING:
        for number, opening in enumerate(opened):
            for outcome in (OUTCOMES[number % 3], "nonsense"):
                given = parameters(outcome=outcome, comment="looked at")
                asking.fhir(who, "POST", f"/Consent/{opening}/$review-emergency", given, note=outcome)
    asking.get("dana", "/Consent/$review-queue")
    asking.later(hours=30)
    for who in ("awa+break-glass", "roux+regulation"):
        asking.get(who, f"/DocumentReference?patient={asking.book['patients']['camille']}&_elements=id")


def _declare(asking: Asking, who: str, of: str) -> list[str]:
    """Let somebody try to open a space in both modes; return the openings."""
    opened = []
    patient = asking.book["patients"][of]
    for operation in ("break-glass", "regulation-access"):
        for body in (parameters(), parameters(reason=""), parameters(reason="unconscious, found at home")):
            answer = asking.fhir(
                who, "POST", f"/Patient/{patient}/${operation}", body, note=f"{len(body['parameter'])} given"
            )
            if answer.status_code == 200:
                told = {part["name"]: part for part in answer.get_json()["parameter"]}
                opened.append(told["consent"]["valueReference"]["reference"].partition("/")[2])
    asking.get(who, f"/DocumentReference?patient={patient}&_elements=id&_count=50")
    asking.get(who, f"/DocumentReference/{asking.book['documents'][REPORT]}?_elements=id")
    return opened


def _look_at_reviews(asking: Asking, opened: list[str]) -> None:
    for who in REVIEWING:
        for asked in ("", "?count=1", "?count=x&page=y"):
            asking.get(who, f"/Consent/$review-queue{asked}")
        for opening in (*opened, UNKNOWN):
            asking.get(who, f"/Consent/{opening}/$review-status")
            asking.get(who, f"/Consent/{opening}")


def end(asking: Asking) -> None:
    """Open, suspend, close and erase spaces: afterwards their holders read nothing, so this is a part of its own."""
    book = asking.book
    new = {
        "resourceType": "Patient",
        "identifier": [{"system": INS, "value": "190059999900133"}],
        "name": [{"family": "Neuf"}],
        "birthDate": "1990-05-05",
    }
    for who in ("camille", "martin", "chu-a-ehr", "annuaire", "annuaire"):
        answer = asking.fhir(who, "POST", "/Patient/$announce-space", new)
    fresh = asking.ids("annuaire", f"/Patient?identifier={INS}|190059999900133") or [
        answer.get_json().get("id", UNKNOWN)
    ]
    steps = ("space-status", "oppose-space", "open-space", "suspend-space", "open-space", "close-space",
    "request-erasure",
             "erase-space", "record-death", "space-status")  # fmt: skip
    whos = ("stern", "chu-a-ehr", "dana", "annuaire")
    for patient, holder in ((fresh[0], "annuaire"), (book["patients"]["marc"], "marc"), (book["patients"]["leo"],
    "camille/leo"),
                            (book["patients"]["ines"], "ines"), (UNKNOWN, "camille")):  # fmt: skip
        for step in steps:
            for who in (*whos, holder):
                asking.fhir(who, "POST", f"/Patient/{patient}/${step}", None)
            asking.get(holder, f"/Patient/{patient}/$space-status")
            asking.get(holder, f"/DocumentReference?patient={patient}&_elements=id")
            asking.get("martin", f"/DocumentReference?patient={patient}&_elements=id")
    asking.fhir("camille", "POST", f"/Patient/{book['patients']['camille']}/$close-space", parameters(erase=True))
    asking.fhir("chu-a-ehr", "POST", "/DocumentReference", simplified(filing(asking, 7002)), note="into a closed space")
    asking.later(days=8)
    look(asking)
    asking.fhir("camille", "POST", f"/Patient/{book['patients']['camille']}/$open-space", None)
    look(asking)
