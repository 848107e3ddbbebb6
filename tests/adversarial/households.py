"""A teenager who keeps things from a parent, and a hospital whose admission system and people they meet."""

import json

from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.values import Json
from tests.http.notices import kinds
from tests.http.spaces import parent, sign_in
from tests.http.test_admissions import admission_system
from tests.http.test_invitations import invite, redeem
from tests.http.test_reviews import of_people
from tests.world import TRE_A07, World

SECRET = {"meta": {"security": [{"system": TRE_A07, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}}
MARK = "INVISIBLE_REPRESENTANTS_LEGAUX"


def household(world: World) -> World:
    """Bring in Lea, who is seventeen, her father Marc, Noa, the hospital's admission system, and an officer."""
    of_people(world)
    world.patient("lea", "209019999900183", "2009-01-17")
    parent(world, "marc", "lea")
    world.patient("noa", "280037806500512")
    sign_in(world, "noa", "noa", RequesterKind.PATIENT)
    admission_system(world)
    return world


def about(world: World, consent: Json, patient: str = "lea") -> Json:
    return consent | {"patient": {"reference": f"Patient/{world.ids[patient]}"}}


def declare(world: World, who: str, patient: str = "lea") -> None:
    """Let a professional say that the patient agreed."""
    answer = world.send(who, "POST", "/Consent", about(world, world.consent(who), patient))
    assert answer.status_code == 201, answer.get_data(as_text=True)


def read(world: World, who: str, patient: str = "lea") -> int:
    return world.get(who, f"/DocumentReference?patient={world.ids[patient]}").status_code


def notices(world: World, who: str, patient: str = "lea") -> list[Json]:
    found = world.get(who, f"/Communication?patient={world.ids[patient]}&_count=50").get_json()
    return [entry["resource"] for entry in found.get("entry", ())]


def notice(world: World, who: str, kind: str, patient: str = "lea") -> str:
    """Return the id of the one notice of a kind."""
    (found,) = [one for one in notices(world, who, patient) if kinds([one]) == [kind]]
    return str(found["id"])


def trail(world: World, who: str, of: str = "", more: str = "") -> list[Json]:
    """Return the audit events of Lea's space that somebody finds. of: a professional who acted."""
    acted = f"&agent=Practitioner/{world.ids[of]}" if of else ""
    path = f"/AuditEvent?patient={world.ids['lea']}&_count=100{acted}{more}"
    return [entry["resource"] for entry in world.get(who, path).get_json().get("entry", [])]


def trail_text(world: World, who: str, of: str = "") -> str:
    return json.dumps(trail(world, who, of), ensure_ascii=False)


def consult_in_secret(world: World, who: str) -> str:
    """Let Lea show a professional a code for a document that she keeps from her father; return the document."""
    secret = world.publish(patient="lea", marks=(MARK,))
    code = invite(world, "lea", "lea", document=[{"reference": f"DocumentReference/{secret}"}])
    assert redeem(world, who, code).status_code == 200
    return secret
