"""Everybody writes: each type, each way to change it, publications, bundles, and bodies that are wrong."""

from itertools import count
from typing import Any

from seed import cast
from seed.filing import Filing, Place, simplified, submission
from seed.people import author_resource
from tests.golden.drive.reading import UNKNOWN
from tests.golden.recording import Asking

Json = dict[str, Any]
_OF_HOSPITAL = next(part for part in cast.PROFESSIONALS if part.establishment == "chu-a")
JSON_PATCH = "application/json-patch+json"
XML = "application/fhir+xml"
TRE_A07 = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
INS = "urn:oid:1.2.250.1.213.1.4.10"
OID = "1.2.250.1.213.1.4.99999.55"
FINESS = "https://finess.esante.gouv.fr"
REPORT = ("http://loinc.org", "34112-3", "CR hospitalier (séjour)")
WRITERS = ("annuaire", "chu-a-ehr", "labo-lis", "camille", "camille/leo", "ines", "marc", "matension", "martin", "paul",
           "nour", "stern", "dana", "nobody", "forged")  # fmt: skip


def run(asking: Asking) -> None:
    """Let everybody write the same things, then send what is wrong."""
    numbers = count(1)
    for who in WRITERS:
        _creations(asking, who, next(numbers))
        _changes(asking, who)
        _publications(asking, who, numbers)
        _bundles(asking, who, next(numbers))
    _conditions(asking)
    _broken(asking)
    _patches(asking)
    _unoffered(asking)


def filing(asking: Asking, number: int, **more: Any) -> Filing:
    """Build a document of the hospital for Camille."""
    book = asking.book
    given = {
        "unique_id": f"{OID}.{number}",
        "title": f"Compte rendu {number}",
        "date": "2026-02-01T10:00:00+01:00",
        "mime": "text/plain",
        "content": f"content number {number}".encode(),
        "patient": book["patients"]["camille"],
        "type_": REPORT,
        "category": ("10", "Compte rendu"),
        "author": author_resource(_OF_HOSPITAL),
        "source_patient": {"resourceType": "Patient", "id": "source", "name": [{"family": "Laurent"}]},
        "place": Place(book["organizations"]["chu-a"], "SA01", "ETABLISSEMENT"),
    }
    return Filing(**(given | more))


def resources(asking: Asking, number: int) -> dict[str, Json]:
    """Return something to create of each type."""
    book = asking.book
    camille = {"reference": f"Patient/{book['patients']['camille']}"}
    identifier = [{"system": "urn:golden", "value": str(number)}]
    return {
        "Patient": {"resourceType": "Patient", "identifier": [{"system": INS, "value": f"1{number:02}049999900"}],
                    "name": [{"family": "Neuf", "given": ["Un"]}], "birthDate": "1990-04-01"},
        "Practitioner": {"resourceType": "Practitioner", "identifier": identifier, "name": [{"family": "Neuve"}]},
        "PractitionerRole": {"resourceType": "PractitionerRole", "identifier": identifier,
                             "practitioner": {"reference": f"Practitioner/{book['professionals']['martin']}"}},
        "Organization": {"resourceType": "Organization", "identifier": identifier, "name": "Maison neuve"},
        "RelatedPerson": {"resourceType": "RelatedPerson", "identifier": identifier, "patient": camille},
        "DocumentReference": simplified(filing(asking, number + 500)),
        "Consent": consent(asking, "permit", f"Practitioner/{book['professionals']['sami']}"),
        "Binary": {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="},
        "List": {"resourceType": "List", "status": "current", "mode": "working"},
        "Communication": {"resourceType": "Communication", "status": "completed"},
        "AuditEvent": {"resourceType": "AuditEvent"},
        "Observation": {"resourceType": "Observation"},
    }  # fmt: skip


def consent(asking: Asking, type_: str, actor: str, of: str = "camille", role: Json | None = None, **more: Any) -> Json:
    """Build a choice of a patient about one actor, at the instant of the clock."""
    terms = "http://terminology.hl7.org/CodeSystem"
    patient = {"reference": f"Patient/{asking.book['patients'][of]}"}
    recipient = {"system": f"{terms}/v3-ParticipationType", "code": "IRCP"}
    actors = [{"role": {"coding": [role or recipient]}, "reference": {"reference": actor}}] if actor else []
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": f"{terms}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": patient,
        "dateTime": asking.now(),
        "performer": [patient],
        "organization": [{"reference": f"Organization/{asking.book['organizations']['chu-a']}"}],
        "policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}],
        "provision": {"type": type_} | ({"actor": actors} if actors else {}) | more.pop("provision", {}),
    } | more


def _creations(asking: Asking, who: str, number: int) -> None:
    for type_, resource in resources(asking, number).items():
        asking.fhir(who, "POST", f"/{type_}", resource)
    for prefer in ("return=minimal", "return=OperationOutcome", "return=nonsense"):
        resource = resources(asking, number)["Organization"]
        asking.fhir(who, "POST", "/Organization", resource, Prefer=prefer)


def _changes(asking: Asking, who: str) -> None:
    book = asking.book
    for type_, id_ in (
        ("Patient", book["patients"]["marc"]), ("Practitioner", book["professionals"]["remi"]),
        ("Organization", book["organizations"]["labo"]), ("PractitionerRole", book["roles"]["remi"]),
        ("RelatedPerson", book["guardians"]["marc/leo"]), ("Consent", book["consents"]["camille-agrees-chu-a"]),
        ("DocumentReference", book["documents"]["camille-summary"]), ("Organization", UNKNOWN),
    ):  # fmt: skip
        path = f"/{type_}/{id_}"
        found = asking.get(who, path)
        resource = found.get_json() if found.status_code == 200 else {"resourceType": type_, "id": id_}
        asking.fhir(who, "PUT", path, resource | {"language": "fr"})
        asking.fhir(who, "PUT", path, resource | {"language": "en"}, If_Match='W/"9"', note="stale")
        asking.fhir(who, "PUT", path, resource | {"id": UNKNOWN}, note="another id")
        change = [{"op": "add", "path": "/language", "value": "de"}]
        asking.fhir(who, "PATCH", path, change, mime=JSON_PATCH, If_Match='W/"1"')
        asking.fhir(who, "PATCH", path, change, mime=JSON_PATCH)
        asking.fhir(who, "DELETE", f"/{type_}/{UNKNOWN}")
        asking.get(who, f"{path}/_history")


def _publications(asking: Asking, who: str, numbers: count) -> None:
    one, two = filing(asking, next(numbers)), filing(asking, next(numbers))
    made = asking.fhir(who, "POST", "", submission([one, two], f"{one.unique_id}.0"), note="ITI-65 of two")
    asking.fhir(who, "POST", "", submission([one, two], f"{one.unique_id}.0"), note="the same ITI-65 again")
    asking.fhir(who, "POST", "/DocumentReference", simplified(filing(asking, next(numbers))), note="ITI-105")
    own = Place("", "EXP_PATIENT", "EXP_PATIENT")
    patient = {"resourceType": "Patient", "id": "author", "name": [{"family": "Laurent"}]}
    mine = filing(asking, next(numbers), place=own, type_=("http://loinc.org", "11488-4", "x"), author=patient)
    asking.fhir(who, "POST", "/DocumentReference", simplified(mine), note="ITI-105 of the patient's own")
    marked = filing(asking, next(numbers), marks=("INVISIBLE_PATIENT", "MASQUE_PS"))
    asking.fhir(who, "POST", "", submission([marked], f"{marked.unique_id}.0"), note="ITI-65 with marks")
    old = asking.book["documents"]["camille-discharge-letter"]
    if made.status_code == 200:
        old = made.get_json()["entry"][1]["response"]["location"].partition("DocumentReference/")[2].split("/")[0]
    newer = filing(asking, next(numbers), replaces=old)
    asking.fhir(who, "POST", "", submission([newer], f"{newer.unique_id}.0"), note="ITI-65 that replaces")
    asking.get(who, f"/DocumentReference/{old}")
    asking.fhir(who, "DELETE", f"/DocumentReference/{old}")
    asking.get(who, f"/DocumentReference/{old}")


def _bundles(asking: Asking, who: str, number: int) -> None:
    camille = asking.book["patients"]["camille"]
    document = asking.book["documents"]["camille-hospital-report"]
    given = resources(asking, number + 200)
    gets = [
        entry("GET", url)
        for url in (f"Patient/{camille}", f"DocumentReference/{document}",
        f"DocumentReference?patient={camille}&_count=1",
                    f"DocumentReference/{UNKNOWN}", "metadata", "$burn", "Nothing/1",
                    f"Consent?patient={camille}&_count=1")
    ]  # fmt: skip
    writes = [
        entry("POST", "Organization", given["Organization"], "urn:uuid:2c1d0a0e-0000-4000-8000-0000000000f1"),
        entry("POST", "Consent", given["Consent"]),
        entry("PUT", f"Organization/{UNKNOWN}", given["Organization"]),
        entry("DELETE", f"DocumentReference/{UNKNOWN}"),
        entry("PATCH", f"DocumentReference/{document}", {"resourceType": "Parameters"}),
    ]
    for kind in ("batch", "transaction", "collection", "history"):
        asking.fhir(who, "POST", "", bundle(kind, *gets), note=f"{kind} that reads")
        asking.fhir(who, "POST", "", bundle(kind, *writes), note=f"{kind} that writes")
        asking.fhir(who, "POST", "/", bundle(kind), note=f"{kind} of nothing")
    role = given["PractitionerRole"] | {"organization": {"reference": "urn:uuid:2c1d0a0e-0000-4000-8000-0000000000f1"}}
    asking.fhir(
        who, "POST", "", bundle("transaction", writes[0], entry("POST", "PractitionerRole", role)), note="linked"
    )


def entry(method: str, url: str, resource: Json | None = None, full_url: str = "", **request: str) -> Json:
    built: Json = {"request": {"method": method, "url": url} | request}
    return built | ({"resource": resource} if resource else {}) | ({"fullUrl": full_url} if full_url else {})


def bundle(type_: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries)}


def _conditions(asking: Asking) -> None:
    for who in ("annuaire", "chu-a-ehr", "camille", "stern"):
        for condition in (
            f"identifier={FINESS}|990000018",
            f"identifier={FINESS}|1",
            "name=CHU-A",
            "identifier=",
            "unheard=1",
        ):
            resource = {"resourceType": "Organization", "name": "x", "identifier": [{"system": FINESS, "value": "2"}]}
            asking.fhir(who, "POST", "/Organization", resource, If_None_Exist=condition)
            consented = consent(asking, "permit", f"Practitioner/{asking.book['professionals']['eva']}")
            asking.fhir(who, "POST", "/Consent", consented, If_None_Exist=condition)
        for query in (
            "identifier=urn:ietf:rfc:3986|urn:oid:1.2.250.1.213.1.4.99999.1",
            "identifier=urn:x|1",
            "status=current",
            "",
        ):
            change = [{"op": "add", "path": "/description", "value": "x"}]
            asking.fhir(who, "PATCH", f"/DocumentReference?{query}", change, mime=JSON_PATCH)
    for match in ('W/"1"', 'W/"2"', "*", "x", '"1"', 'W/"1", W/"2"'):
        for type_, id_ in (
            ("Organization", asking.book["organizations"]["samu"]),
            ("Consent", asking.book["consents"]["camille-agrees-paul"]),
        ):
            who = "annuaire" if type_ == "Organization" else "camille"
            found = asking.get(who, f"/{type_}/{id_}").get_json()
            asking.fhir(who, "PUT", f"/{type_}/{id_}", found, If_Match=match)
            asking.fhir(who, "PUT", f"/{type_}/{id_}", found, If_None_Match=match)


def _broken(asking: Asking) -> None:
    """Send bodies that are wrong in one way each."""
    good = resources(asking, 900)
    texts: dict[str, bytes] = {
        "nothing": b"", "half": b'{"resourceType": "Organ', "a list": b"[]", "null": b"null", "a number": b"1",
        "not UTF-8": b'{"a":"\xff"}',
        "twice": b'{"resourceType":"Organization","name":"a","name":"b"}', "no type": b'{"name":"x"}',
        "deep": b"[" * 200 + b"]" * 200,
        "NaN": b'{"resourceType":"Organization","name":NaN}',
        "null inside": b'{"resourceType":"Organization","name":null}',
        "unknown element": b'{"resourceType":"Organization","name":"x","colour":"red"}',
        "wrong kind": b'{"resourceType":"Organization","name":1}',
        "empty list": b'{"resourceType":"Organization","name":"x","alias":[]}',
        "other type": b'{"resourceType":"Patient"}',
        "modifier": b'{"resourceType":"Organization","name":"x","modifierExtension":[{"url":"urn:x","valueCode":"y"}]}',
    }  # fmt: skip
    for who in ("annuaire", "camille"):
        for note, text in texts.items():
            for method, path in (("POST", "/Organization"), ("PUT", f"/Organization/{UNKNOWN}"), ("POST", "/Consent"),
            ("POST", ""),
                                 ("POST", "/DocumentReference"), ("POST", "/Patient/$announce-space")):  # fmt: skip
                asking.fhir(who, method, path, text, note=note)
        for mime in (
            "application/json",
            "text/plain",
            "application/xml",
            XML,
            "application/fhir+json; charset=latin-1",
            "nonsense",
            JSON_PATCH,
        ):
            asking.fhir(who, "POST", "/Organization", good["Organization"], mime=mime)
            asking.fhir(who, "PUT", f"/Organization/{UNKNOWN}", good["Organization"], mime=mime)
        xml = b'<Organization xmlns="http://hl7.org/fhir"><name value="En XML"/></Organization>'
        for note, text in (("good", xml), ("half", xml[:40]), ("entity", b'<!DOCTYPE x [<!ENTITY a "b">]>' + xml),
                           ("no namespace", xml.replace(b' xmlns="http://hl7.org/fhir"', b"")), ("unknown",
                           xml.replace(b"name", b"colour"))):  # fmt: skip
            asking.fhir(who, "POST", "/Organization", text, mime=XML, note=note, Accept=XML)
            asking.fhir(who, "POST", "/Organization", text, mime=XML, note=note)
    _broken_publications(asking)
    _broken_consents(asking)


def _broken_publications(asking: Asking) -> None:
    whole = submission([filing(asking, 901)], f"{OID}.901.0")
    for place in range(len(whole["entry"])):
        less = whole | {"entry": [one for number, one in enumerate(whole["entry"]) if number != place]}
        asking.fhir("chu-a-ehr", "POST", "", less, note=f"ITI-65 without entry {place}")
        for element in list(whole["entry"][place]["resource"]):
            resource = {name: value for name, value in whole["entry"][place]["resource"].items() if name != element}
            entries = [
                one | {"resource": resource} if number == place else one for number, one in enumerate(whole["entry"])
            ]
            asking.fhir(
                "chu-a-ehr", "POST", "", whole | {"entry": entries}, note=f"ITI-65: entry {place} without {element}"
            )
    document = simplified(filing(asking, 902))
    for element in list(document):
        less = {name: value for name, value in document.items() if name != element}
        asking.fhir("chu-a-ehr", "POST", "/DocumentReference", less, note=f"ITI-105 without {element}")
    for name, value in (
        ("size", 1),
        ("hash", "AAAA"),
        ("contentType", "text/nothing"),
        ("data", "%%"),
        ("url", "urn:uuid:1"),
    ):
        attachment = document["content"][0]["attachment"] | {name: value}
        wrong = document | {"content": [document["content"][0] | {"attachment": attachment}]}
        asking.fhir("chu-a-ehr", "POST", "/DocumentReference", wrong, note=f"ITI-105 with another {name}")


def _broken_consents(asking: Asking) -> None:
    paul = f"Practitioner/{asking.book['professionals']['paul']}"
    whole = consent(asking, "permit", paul)
    for element in list(whole):
        less = {name: value for name, value in whole.items() if name != element}
        asking.fhir("camille", "POST", "/Consent", less, note=f"without {element}")
    for name, value in (
        ("status", "draft"), ("status", "rejected"), ("dateTime", "2030-01-01T00:00:00Z"), ("dateTime", "soon"),
        ("policyRule", {"coding": [{"system": "urn:habilis:directive", "code": "unheard"}]}), ("provision", {}),
        ("verification", []),
        ("patient", {"reference": f"Patient/{UNKNOWN}"}), ("scope", {"text": "x"}), ("provision", {"type": "permit",
        "actor": []}),
        ("provision", {"type": "deny", "period": {"start": "2026-01-01", "end": "2025-01-01"}}), ("id", "x"),
    ):  # fmt: skip
        asking.fhir("camille", "POST", "/Consent", whole | {name: value}, note=f"{name} {value}")
    for actor in (
        "Practitioner/x",
        f"Practitioner/{UNKNOWN}",
        f"Patient/{asking.book['patients']['marc']}",
        "Device/1",
        "#x",
        "urn:x",
    ):
        asking.fhir("camille", "POST", "/Consent", consent(asking, "permit", actor), note=actor)


def _patches(asking: Asking) -> None:
    document = f"/DocumentReference/{asking.book['documents']['camille-summary']}"
    wrong: tuple[Any, ...] = (
        [], {}, [{"op": "remove", "path": "/status"}], [{"op": "replace", "path": "/status", "value": "x"}],
        [{"op": "burn", "path": "/a"}],
        [{"op": "add", "path": "/nothing/here", "value": 1}], [{"op": "test", "path": "/status", "value": "x"}],
        [{"path": "/a"}],
        [{"op": "replace", "path": "/subject/reference", "value": "Patient/x"}], [{"op": "add",
        "path": "/securityLabel/-", "value": 1}],
        [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [{"system": TRE_A07, "code": "NOTHING"}]}}],
        [{"op": "replace", "path": "/type", "value": {"text": "x"}}], [{"op": "move", "from": "/status",
        "path": "/docStatus"}],
    )  # fmt: skip
    for who in ("camille", "chu-a-ehr", "paul", "martin", "stern"):
        for number, body in enumerate(wrong):
            asking.fhir(who, "PATCH", document, body, mime=JSON_PATCH, note=f"wrong patch {number}")
        for type_, path, value in (("add", "DocumentReference", None), ("delete", "DocumentReference.nothing", None),
        ("burn", "x", None),
                                   ("replace", "DocumentReference.status", {"valueCode": "x"}), ("delete", "((",
                                   None)):  # fmt: skip
            parts = [{"name": "type", "valueCode": type_}, {"name": "path", "valueString": path}]
            parts += [{"name": "value"} | value] if value else []
            body = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
            asking.fhir(who, "PATCH", document, body, note=f"FHIRPath {type_} {path}")
            asking.fhir(who, "PATCH", document, body, mime=XML, note="not XML")


def _unoffered(asking: Asking) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        for path in (
            "/fhir", "/fhir/", "/fhir/metadata", "/fhir/Binary", f"/fhir/Binary/{UNKNOWN}", "/fhir/Patient",
            f"/fhir/Patient/{UNKNOWN}",
            "/fhir/Patient/_history", "/fhir/_history", f"/fhir/AuditEvent/{UNKNOWN}/_history", "/fhir/Patient/$burn",
            "/fhir/$burn",
            f"/fhir/Patient/{UNKNOWN}/$burn", f"/fhir/Patient/{UNKNOWN}/$break-glass", "/fhir/Observation",
            "/fhir/DocumentReference",
            f"/fhir/DocumentReference/{UNKNOWN}", f"/fhir/Patient/{UNKNOWN}/name/0", "/fhir/Patient/a b",
            "/fhir/Patient/%00", "/fhir/List",
            f"/fhir/Consent/{UNKNOWN}", "/fhir/Communication", "/fhir/AuditEvent", "/nothing", "/oauth/token",
            "/oauth/nothing", "/journal", "/login",
        ):  # fmt: skip
            body = {} if method in ("POST", "PUT", "PATCH") else None
            asking.send("camille", method, path, body)
