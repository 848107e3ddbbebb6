"""Choices about documents, and what each interaction then shows of one."""

from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.consents.elements import DIRECTIVE
from tests.http.spaces import sign_in
from tests.world import TERMINOLOGY, World

G15 = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
IRCP = {"coding": [{"system": f"{TERMINOLOGY}/v3-ParticipationType", "code": "IRCP"}]}
INACTIVE = [{"op": "replace", "path": "/status", "value": "inactive"}]


def named(reference):
    return {"role": IRCP, "reference": {"reference": reference}}


def profession(code):
    identifier = {"system": G15, "value": code}
    return {"role": IRCP, "reference": {"type": "PractitionerRole", "identifier": identifier}}


def data(*documents):
    return [{"meaning": "instance", "reference": {"reference": f"DocumentReference/{id_}"}} for id_ in documents]


def only_for(world: World, document, *actors):
    """Build the Consent by which a document is for these actors only."""
    consent = world.consent("martin")
    exceptions = {"provision": [{"type": "permit", "actor": list(actors)}]} if actors else {}
    return consent | {"provision": {"type": "deny", "data": data(document), **exceptions}}


def choose(world: World, consent, who="camille"):
    answer = world.send(who, "POST", "/Consent", consent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()["id"]


def practitioner(world, name):
    return named(f"Practitioner/{world.ids[name]}")


def everything(world: World, who, document):
    """Return what each interaction shows somebody of one document, with what it answers for an id of nothing."""
    patient = world.ids["camille"]
    listed = world.get(who, f"/DocumentReference?patient={patient}&_total=accurate")
    counted = world.get(who, f"/DocumentReference?patient={patient}&_summary=count").get_json()["total"]
    first = world.get(who, f"/DocumentReference?patient={patient}&_count=1").get_json()
    path = f"/DocumentReference/{document}"
    return {
        "found": document in [entry["resource"]["id"] for entry in listed.get_json().get("entry", [])],
        "totals": (listed.get_json()["total"], counted, first["total"]),
        "pages": any(link["relation"] == "next" for link in first["link"]),
        "read": world.get(who, path).status_code,
        "vread": world.get(who, f"{path}/_history/1").status_code,
        "history": world.get(who, f"{path}/_history").status_code,
        "by id": world.found(who, f"/DocumentReference?patient={patient}&_id={document}"),
    }


def content_of(world: World, document):
    url = world.get("camille", f"/DocumentReference/{document}").get_json()["content"][0]["attachment"]["url"]
    return url.rpartition("/fhir")[2]


def relative(world: World, name, of="camille"):
    """Record a related person of a patient, with an own token and no right yet."""
    patient = {"reference": f"Patient/{world.ids[of]}"}
    world.record(name, {"resourceType": "RelatedPerson", "patient": patient, "name": [{"family": name.title()}]})
    sign_in(world, name, of, RequesterKind.RELATED)
    return f"RelatedPerson/{world.ids[name]}"


def said(world: World, type_, *relatives, of="camille", rule="", **provision):
    """Build a Consent about related persons."""
    patient = {"reference": f"Patient/{world.ids[of]}"}
    actors = {"actor": [named(reference) for reference in relatives]} if relatives else {}
    stated = {"policyRule": {"coding": [{"system": DIRECTIVE, "code": rule}]}} if rule else {}
    return world.consent("nour") | {"patient": patient, "provision": {"type": type_, **actors, **provision}} | stated


def listed(world: World, who, of="camille"):
    return set(world.found(who, f"/DocumentReference?patient={world.ids[of]}"))


def setting(world: World, kind):
    rule = {"coding": [{"system": "urn:habilis:directive", "code": kind}]}
    return world.consent("martin") | {"policyRule": rule, "provision": {"type": "permit"}}
