"""A card that registered software has read lets one professional in for one consultation, on both stores (V1, C4)."""

import json
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from warnings import catch_warnings, simplefilter

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from consent_rules.vocabulary import Capacity, Grade, Proof, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import clients
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.ports.surroundings import Ports
from tests.http.cards import AUDIENCE, CAMILLE, KEY, LUCIE, Reader, identifier, present
from tests.http.choices import choose
from tests.http.notices import kinds
from tests.http.notices import told as noticed
from tests.http.spaces import parent, told
from tests.http.stores import BOTH, another, runtime, store  # noqa: F401 - fixtures
from tests.http.test_invitations import agreed, ref
from tests.world import INS, RPPS, World

UNKNOWN = "184039999900321"
OTHER_KEY = ECKey.generate_key("P-384", {"kid": "desk-1"})
with catch_warnings():
    simplefilter("ignore")  # the library warns of what is tested here
    WEAK = RSAKey.generate_key(1024, {"kid": "weak"})


@pytest.fixture
def reader(world: World) -> Reader:
    return Reader(world).register()


def code_of(answer):
    return answer.get_json()["issue"][0]["details"]["coding"][0]["code"]


def events(world: World, who="camille", patient="camille"):
    found = world.get(who, f"/AuditEvent?patient={world.ids[patient]}&_count=50").get_json()
    return [entry["resource"] for entry in found.get("entry", ())]


def of_cards(found):
    return [event for event in found if "present-card" in {one.get("code") for one in event["subtype"]}]


@BOTH
def test_a_card_lets_one_professional_in_for_one_consultation(world: World, reader: Reader, clock):
    document = world.publish()
    assert world.get("lucie", f"/DocumentReference/{document}").status_code == 404

    got = told(present(world, "lucie", reader.sign(), patient=ref(world, "camille", "Patient")))

    assert got["patient"] == ref(world, "camille", "Patient")
    assert world.get("lucie", f"/DocumentReference/{document}").status_code == 200
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404
    (kept,) = agreed(world)
    assert (kept.grade, kept.proof, kept.by_patient, kept.given_by) == (Grade.PATIENT, Proof.CARD, False, "")
    assert kept.actors == {f"Practitioner/{world.ids['lucie']}"}
    clock.advance(hours=24)
    assert world.get("lucie", f"/DocumentReference/{document}").status_code == 404


def times(world: World, **seconds: int):
    now = int(world.runtime.now().timestamp())
    return {name: now + amount for name, amount in seconds.items()}


def unsigned(reader: Reader):
    _, body, _ = reader.sign().split(".")
    named = json.dumps({"alg": "none", "kid": "desk-1", "typ": "card-presence+jwt"}).encode()
    return f"{urlsafe_b64encode(named).decode().rstrip('=')}.{body}."


HOSTILE = {
    "another key": lambda r: r.sign(OTHER_KEY),
    "an unknown key": lambda r: r.sign(head={"kid": "desk-2"}),
    "a key in the header": lambda r: r.sign(OTHER_KEY, head={"jwk": OTHER_KEY.as_dict(private=False)}),
    "alg none": unsigned,
    "alg HS256": lambda r: r.sign(OctKey.import_key(json.dumps(KEY.as_dict(private=False))), "HS256"),
    "a client assertion": lambda r: r.sign(head={"typ": "JWT"}),
    "no type": lambda r: r.sign(head={"typ": None}),
    "expired": lambda r: r.sign(**times(r.world, iat=-91, exp=-31)),
    "from the future": lambda r: r.sign(**times(r.world, iat=31, exp=60)),
    "for two minutes": lambda r: r.sign(**times(r.world, exp=61)),
    "far ahead": lambda r: r.sign(**times(r.world, iat=60, exp=120)),
    "without iat": lambda r: r.sign(iat=None),
    "without exp": lambda r: r.sign(exp=None),
    "without jti": lambda r: r.sign(jti=None),
    "ten thousand letters": lambda r: r.sign(jti="j" * 10_000),
    "a long jti": lambda r: r.sign(jti="j" * 257),
    "a jti that cannot be written": lambda r: r.sign(jti="\ud800"),
    "for the token endpoint": lambda r: r.sign(aud="http://localhost:8080/oauth/token"),
    "for another operation": lambda r: r.sign(aud=AUDIENCE.replace("present-card", "redeem")),
    "for two audiences": lambda r: r.sign(aud=[AUDIENCE, "https://other.example"]),
    "without audience": lambda r: r.sign(aud=None),
    "another reader": lambda r: r.sign(iss="desk"),
    "no identity": lambda r: r.sign(patient=None),
    "an identity as a text": lambda r: r.sign(patient=CAMILLE),
    "an identity that cannot be written": lambda r: r.sign(patient=identifier(INS, "\ud800")),
    "an identity of a hospital": lambda r: r.sign(patient=identifier("urn:oid:1.2.3", CAMILLE)),
    "no professional": lambda r: r.sign(professional=None),
    "no token": lambda _: "x",
}


@pytest.fixture(scope="module")
def served(shared_world: World) -> Reader:
    """A reader whose tests let nobody in, so that they share a world."""
    return Reader(shared_world).register()


@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_reader_signed_for_this_operation_now_is_refused(served: Reader, case: str):
    answer = present(served.world, "lucie", HOSTILE[case](served))

    assert (answer.status_code, code_of(answer)) == (422, "card-assertion-not-valid")
    for named in (CAMILLE, LUCIE, KEY.as_dict()["x"]):
        assert named not in answer.get_data(as_text=True)
    assert of_cards(events(served.world)) == []


def test_a_weak_key_proves_nothing_though_it_is_registered(world: World, reader: Reader):
    reader.change(jwks={"keys": [WEAK.as_dict(private=False)]})
    with catch_warnings():
        simplefilter("ignore")
        signed = reader.sign(WEAK, "RS384", head={"kid": "weak"})
    assert code_of(present(world, "lucie", signed)) == "card-assertion-not-valid"


@pytest.mark.parametrize("change", [{"card_reader": False}, {"disabled": True}, {"jwks": {}}])
def test_what_the_operator_takes_from_a_reader_counts_at_the_next_request(world: World, reader: Reader, change):
    signed = reader.sign()
    reader.change(**change | ({"auth_method": "none"} if "jwks" in change else {}))
    assert code_of(present(world, "lucie", signed)) == "card-assertion-not-valid"
    assert agreed(world) == []


def test_the_software_that_calls_is_no_reader_and_a_reader_serves_its_own_establishment(world: World, reader: Reader):
    reader.change(organization=f"Organization/{world.ids['chu']}")
    assert code_of(present(world, "lucie", reader.sign())) == "card-assertion-not-valid"
    reader.change(organization=f"Organization/{world.ids['other']}")
    assert present(world, "lucie", reader.sign()).status_code == 200
    own = Reader(world, replace(reader.client, id="desk", organization=""))
    clients.register(world.runtime, own.client)
    assert code_of(present(world, "lucie", own.sign())) == "card-assertion-not-valid"


@BOTH
def test_a_card_that_lets_nobody_in_gets_one_answer_whatever_the_reason(world: World, reader: Reader):
    used = reader.sign()
    assert present(world, "lucie", used).status_code == 200
    world.colleague("paul", "99700009993", "other")
    world.in_mode("paul", "paul", ("10", "other", Capacity.NONE))
    world.in_mode("narrow", "lucie", ("10", "other", Capacity.NONE), scopes="user/DocumentReference.rs")
    choose(world, world.consent("paul", "deny"))
    for_paul = {"professional": identifier(RPPS, "99700009993")}
    answers = [
        present(world, "lucie", used),
        present(world, "lucie", reader.sign(patient=identifier(INS, UNKNOWN))),
        present(world, "lucie", reader.sign(**for_paul)),
        present(world, "lucie", reader.sign(), patient={"reference": "Patient/3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"}),
        present(world, "narrow", reader.sign()),
        present(world, "paul", reader.sign(**for_paul)),
        present(world, "martin", reader.sign()),
    ]

    assert {(answer.status_code, answer.get_data()) for answer in answers} == {(422, answers[0].get_data())}
    assert code_of(answers[0]) == "code-not-usable"
    assert len(agreed(world)) == 1


@BOTH
def test_many_who_come_at_once_use_an_assertion_once(world: World, reader: Reader):
    signed = reader.sign()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: present(world, "lucie", signed).status_code, range(4)))

    assert sorted(answers) == [200, 422, 422, 422]
    assert len(agreed(world)) == 1


@BOTH
def test_what_one_process_has_used_is_used_in_another(world: World, reader: Reader, another: Ports):  # noqa: F811 - a fixture
    signed = reader.sign()
    assert present(world, "lucie", signed).status_code == 200
    serve(world, replace(world.runtime, ports=replace(another, clock=world.runtime.ports.clock)))

    assert code_of(present(world, "lucie", signed)) == "code-not-usable"
    assert present(world, "lucie", reader.sign()).status_code == 200


@BOTH
def test_cards_of_nobody_are_look_ups_and_cards_have_a_ceiling_of_their_own(world: World, reader: Reader, clock):
    limit(world, identities_an_hour=2)
    missed = [present(world, "lucie", reader.sign(patient=identifier(INS, UNKNOWN))).status_code for _ in range(3)]
    assert missed == [422, 422, 429]
    assert present(world, "lucie", reader.sign()).status_code == 200
    limit(world, cards_a_day=4)
    answers = [present(world, "lucie", reader.sign(patient=identifier(INS, who))) for who in (UNKNOWN, CAMILLE)]
    assert {answer.status_code for answer in answers} == {429}
    assert {code_of(answer) for answer in answers} == {"ceiling-cards-a-day"}
    clock.advance(days=1, hours=1)
    assert present(world, "lucie", reader.sign()).status_code == 200


def limit(world: World, **numbers: int):
    fewer = replace(world.runtime.profile.ceilings, **numbers)
    serve(world, replace(world.runtime, profile=replace(world.runtime.profile, ceilings=fewer)))


def serve(world: World, served: Runtime):
    """Have the requests that follow answered by another runtime."""
    world.runtime = served
    world.web.application.extensions["habilis.runtime"] = served


def test_a_card_costs_nothing_of_the_ceilings_of_a_word(world: World, reader: Reader):
    limit(world, spaces_an_hour=1, identities_an_hour=1)
    for _ in range(3):
        assert present(world, "lucie", reader.sign()).status_code == 200


def test_the_patient_and_the_professional_read_of_a_card_and_no_text_has_the_identity(world: World, reader: Reader):
    present(world, "lucie", reader.sign())
    present(world, "martin", reader.sign())

    found = of_cards(events(world))
    assert sorted(event["outcome"] for event in found) == ["0", "4"]
    done = next(event for event in found if event["outcome"] == "0")
    assert "Device/reader" in {one.get("what", {}).get("reference") for one in done["entity"]}
    assert "a utilisé la carte du patient, lue par un logiciel enregistré" in done["text"]["div"]
    notices = noticed(world)
    assert kinds(notices) == ["card-read"]
    assert "Lucie" in notices[0]["text"]["div"] or "lucie" in notices[0]["text"]["div"]
    assert "Le serveur a vérifié cette preuve" in notices[0]["text"]["div"]
    own = of_cards(events(world, "lucie"))
    assert [event["outcome"] for event in own] == ["0"]
    assert CAMILLE not in json.dumps([found, notices, own])


def test_the_card_of_a_minor_opens_nothing_that_the_minor_hides_from_guardians(world: World, reader: Reader):
    world.patient("lea", "209019999900183", "2009-01-17")
    parent(world, "marc", "lea")
    plain = world.publish(patient="lea")
    secret = world.publish(patient="lea", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))

    assert present(world, "lucie", reader.sign(patient=identifier(INS, "209019999900183"))).status_code == 200

    assert set(world.found("lucie", f"/DocumentReference?patient={world.ids['lea']}")) == {plain}
    assert world.get("lucie", f"/DocumentReference/{secret}").status_code == 404


def test_software_that_names_a_professional_enters_on_its_word_though_a_card_was_read(world: World, reader: Reader):
    practice = PractitionerRoleRef("", f"Organization/{world.ids['other']}", "other", "10")
    person = f"Practitioner/{world.ids['lucie']}"
    account = Account("lucie", RequesterKind.PROFESSIONAL, person, "lucie", subject="lucie")
    named = {"client": Client("ehr", "DPI", ClientKind.BACKEND), "account": account, "practice": practice}
    world.tokens["ehr"] = world.mint(scopes="user/*.cruds", **named, vouched=True)
    limit(world, spaces_an_hour=0)

    assert present(world, "ehr", reader.sign()).status_code == 200
    assert world.get("ehr", f"/DocumentReference?patient={world.ids['camille']}").status_code == 429
    assert world.get("lucie", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200


def test_only_a_professional_presents_a_card(world: World, reader: Reader):
    for who in ("camille", "chu-ehr"):
        assert present(world, who, reader.sign()).status_code == 403
    assert agreed(world) == []


def test_a_card_that_was_read_opens_nothing_hidden(world: World, reader: Reader):
    hidden = world.publish()
    world.hide(hidden)
    assert present(world, "lucie", reader.sign()).status_code == 200
    assert world.get("lucie", f"/DocumentReference/{hidden}").status_code == 404
