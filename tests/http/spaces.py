"""The operations of a space, asked and read in a word or two, and the people who ask them."""

from consent_rules.vocabulary import DirectiveKind, RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.consents.elements import DIRECTIVE
from tests.world import INS

UNKNOWN = "00000000-0000-4000-8000-000000000009"


def call(world, who, operation, patient="camille", body=None, **headers):
    id_ = world.ids.get(patient, patient)
    return world.send(who, "POST", f"/Patient/{id_}/${operation}", body, **headers)


def told(answer):
    """Return the parameters of an answer by name."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {
        part["name"]: next(value for name, value in part.items() if name.startswith("value"))
        for part in answer.get_json()["parameter"]
    }


def status(world, who="camille", patient="camille"):
    return told(world.get(who, f"/Patient/{world.ids[patient]}/$space-status"))["status"]


def refusal(answer):
    issue = answer.get_json()["issue"][0]
    return answer.status_code, issue["details"].get("coding", [{}])[0].get("code"), issue["details"]["text"]


def announce(world, name="new", ins="184039999900321", birth="1990-05-05", who="keeper"):
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": INS, "value": ins}],
        "name": [{"family": name.title()}],
        "birthDate": birth,
    }
    answer = world.send(who, "POST", "/Patient/$announce-space", patient)
    if answer.status_code == 201:
        world.ids[name] = answer.get_json()["id"]
        sign_in(world, name, name)
    return answer


def sign_in(world, name, patient, kind=RequesterKind.PATIENT):
    """Give a holder or a representative a token."""
    type_ = "Patient" if kind is RequesterKind.PATIENT else "RelatedPerson"
    represented = RepresentedPatient(world.ids[patient], f"{type_}/{world.ids[name]}", name)
    account = Account(name, kind, represented.person, name, patients=(represented,), subject=name)
    app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
    launch = world.ids[patient]
    world.tokens[name] = world.mint(client=app, account=account, scopes="patient/*.cruds", launch_patient=launch)


def parent(world, name, child):
    """Give a child a legal representative with an own token, as the insurer's software does."""
    related = world.record(
        name, {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{world.ids[child]}"}}
    )
    consent = world.consent("nour") | {
        "patient": {"reference": f"Patient/{world.ids[child]}"},
        "policyRule": {"coding": [{"system": DIRECTIVE, "code": DirectiveKind.REPRESENTATIVE.value}]},
    }
    actor = consent["provision"]["actor"][0] | {"reference": {"reference": f"RelatedPerson/{related}"}}
    consent["provision"] = {"type": "permit", "actor": [actor]}
    answer = world.send("keeper", "POST", "/Consent", consent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    sign_in(world, name, child, RequesterKind.RELATED)


def reason(text="unconscious, found at home"):
    return {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": text}]}


def search(world, who):
    return world.get(who, f"/DocumentReference?patient={world.ids['camille']}")
