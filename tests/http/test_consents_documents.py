"""Choices about single documents over HTTP (ITI-108, PCF intermediate): whom a document is for (rules E1 to E5)."""

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from tests.http.choices import INACTIVE, choose, content_of, data, everything, named, only_for, practitioner, profession
from tests.world import JSON_PATCH, REPORT, TERMINOLOGY, World


@pytest.fixture
def two(world: World):
    """Return a world in which two physicians read two documents of Camille's, filed by neither."""
    world.professional("iris", "10", "other")
    for who in ("martin", "iris"):
        world.agree("camille", who)
    return world, world.publish(), world.publish()


def test_a_document_for_one_professional_is_shown_to_no_other_of_the_same_profession(two):
    """The thinnest path: search, totals, pages, read, history and content alike (E1, E5)."""
    world, secret, plain = two
    content = content_of(world, secret)
    assert everything(world, "iris", secret)["read"] == 200

    choose(world, only_for(world, secret, practitioner(world, "martin")))

    shown, kept = everything(world, "martin", secret), everything(world, "iris", secret)
    seen = {"totals": (2, 2, 2), "pages": True, "read": 200, "vread": 200, "history": 200}
    assert shown == {"found": True, **seen, "by id": [secret]}
    unseen = {"totals": (1, 1, 1), "pages": False, "read": 404, "vread": 404, "history": 404}
    assert kept == {"found": False, **unseen, "by id": []}
    assert (world.get("martin", content).status_code, world.get("iris", content).status_code) == (200, 404)
    assert everything(world, "camille", secret)["read"] == 200
    assert world.get("iris", f"/DocumentReference/{plain}").status_code == 200


def test_what_is_withheld_and_what_never_was_are_answered_alike(two):
    world, secret, _ = two
    choose(world, only_for(world, secret, practitioner(world, "martin")))
    unknown = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"

    for path in ("", "/_history", "/_history/1"):
        a, b = (world.get("iris", f"/DocumentReference/{id_}{path}") for id_ in (secret, unknown))
        assert (a.status_code, a.get_data()) == (b.status_code, b.get_data())
    for id_ in (secret, unknown):
        answer = world.hide(id_, "iris")
        assert answer.status_code == 404


def test_the_list_that_brought_it_does_not_tell(two):
    world, *_ = two
    secret, other = world.publish_all("chu-ehr", world.filing(), world.filing())
    choose(world, only_for(world, secret, practitioner(world, "martin")))

    for entry in world.get("iris", f"/List?patient={world.ids['camille']}").get_json()["entry"]:
        assert secret not in str(entry)
    gathered = world.get("iris", f"/List?patient={world.ids['camille']}&item=DocumentReference/{other}").get_json()
    assert [item["item"]["reference"].rpartition("/")[2] for item in gathered["entry"][0]["resource"]["entry"]] == [
        other
    ]


def test_it_holds_from_the_next_request_on_and_ends_so(two):
    world, secret, _ = two
    id_ = choose(world, only_for(world, secret))
    assert world.get("martin", f"/DocumentReference/{secret}").status_code == 404

    answer = world.send("camille", "PATCH", f"/Consent/{id_}", INACTIVE, JSON_PATCH)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert world.get("martin", f"/DocumentReference/{secret}").status_code == 200


def test_it_may_be_for_a_profession_or_a_structure(two):
    world, secret, _ = two
    world.agree("camille", "zoe")
    world.agree("camille", "chu")
    id_ = choose(world, only_for(world, secret, profession("28"), named(f"Organization/{world.ids['chu']}")))
    reads = {who: world.get(who, f"/DocumentReference/{secret}").status_code for who in ("martin", "iris", "nour")}
    assert reads == {"martin": 404, "iris": 404, "nour": 200}

    for_physicians = only_for(world, secret, profession("10"))
    answer = world.send("camille", "PUT", f"/Consent/{id_}", for_physicians | {"id": id_})

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert world.get("iris", f"/DocumentReference/{secret}").status_code == 200


def test_its_depositor_and_the_declared_physician_read_on(two):
    world, secret, _ = two
    world.agree("camille", "chu")
    choose(world, only_for(world, secret))
    assert world.get("nour", f"/DocumentReference/{secret}").status_code == 200

    pcp = "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction"
    choose(world, world.consent("martin", role={"system": pcp, "code": "PCP"}))

    assert world.get("martin", f"/DocumentReference/{secret}").status_code == 200


def test_a_replacement_is_for_the_same(two):
    world, secret, plain = two
    choose(world, only_for(world, secret, practitioner(world, "martin")))

    newer = world.publish(replaces=secret)
    other = world.publish(replaces=plain)

    assert [world.get(who, f"/DocumentReference/{newer}").status_code for who in ("martin", "iris")] == [200, 404]
    assert world.get("iris", f"/DocumentReference/{other}").status_code == 200
    newest = world.publish(replaces=newer)
    assert [world.get(who, f"/DocumentReference/{newest}").status_code for who in ("martin", "iris")] == [200, 404]


def test_naming_one_version_names_those_before_and_after(two):
    world, secret, _ = two
    newer = world.publish(replaces=secret)

    choose(world, only_for(world, newer, practitioner(world, "martin")))

    assert [world.get(who, f"/DocumentReference/{secret}").status_code for who in ("martin", "iris")] == [200, 404]


def test_a_permit_of_one_document_shows_that_one(world: World):
    one, _ = world.publish(), world.publish()
    consent = world.consent("martin")
    consent["provision"]["data"] = data(one)

    id_ = choose(world, consent)

    assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [one]
    assert world.get("martin", f"/Consent/{id_}").status_code == 200


def test_the_closer_of_two_choices_wins_and_a_deny_among_equals(two):
    """F3, E1: a type is withheld from all, one document of it permitted to one, then withheld again by name."""
    world, one, _ = two
    consent = world.consent("martin")
    of_type = {"type": "deny", "code": [{"coding": [{"system": REPORT[0], "code": REPORT[1]}]}]}
    patient = f"/DocumentReference?patient={world.ids['camille']}"
    choose(world, consent | {"provision": of_type})
    assert (world.found("martin", patient), world.found("iris", patient)) == ([], [])

    choose(world, consent | {"provision": consent["provision"] | {"data": data(one)}})
    assert (world.found("martin", patient), world.found("iris", patient)) == ([one], [])

    choose(world, only_for(world, one))
    assert (world.found("martin", patient), world.found("iris", patient)) == ([], [])


def test_a_permit_of_a_time_shows_what_was_written_then(world: World):
    older = world.publish(date="2022-06-13T10:00:00+02:00")
    world.publish(date="2023-01-01T00:30:00+00:00")
    consent = world.consent("martin")
    consent["provision"]["dataPeriod"] = {"start": "2022-01-01", "end": "2022-12-31"}

    choose(world, consent)

    assert world.found("martin", f"/DocumentReference?patient={world.ids['camille']}") == [older]


def test_a_permit_that_leaves_a_document_out(two):
    world, secret, plain = two
    consent = world.consent("other")
    consent["provision"]["provision"] = [{"type": "deny", "data": data(secret)}]

    id_ = choose(world, consent)

    for who in ("martin", "iris"):
        assert world.found(who, f"/DocumentReference?patient={world.ids['camille']}") == [plain]
        assert world.get(who, f"/Consent/{id_}").status_code == 404
    assert world.get("camille", f"/Consent/{id_}").status_code == 200


@pytest.mark.parametrize("form", ["only_for", "permit"])
def test_a_document_that_the_patient_does_not_see_is_as_unknown(two, form):
    world, *_ = two
    sealed = world.publish(marks=("INVISIBLE_PATIENT",))
    of_other = world.patient("marc", "184039999900123") and world.publish(patient="marc")
    texts = set()
    for id_ in (sealed, of_other, "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"):
        consent = only_for(world, id_) if form == "only_for" else world.consent("martin")
        if form == "permit":
            consent["provision"]["data"] = data(id_)
        answer = world.send("camille", "POST", "/Consent", consent)
        assert answer.status_code == 422
        texts.add(answer.get_data())
    assert len(texts) == 1


def test_a_document_is_not_withheld_by_name_from_who_deposited_it(world: World):
    document = world.publish()
    consent = world.consent("chu", "deny")
    consent["provision"]["data"] = data(document)

    answer = world.send("camille", "POST", "/Consent", consent)

    assert answer.status_code == 422
    assert "depositor" in answer.get_data(as_text=True)


@pytest.mark.parametrize("who", ["martin", "chu-ehr"])
def test_only_the_patient_says_whom_a_document_is_for(two, who):
    world, secret, _ = two
    assert world.send(who, "POST", "/Consent", only_for(world, secret)).status_code == 403


def test_a_professional_does_not_see_whom_else_a_document_is_for(two):
    world, secret, _ = two
    id_ = choose(world, only_for(world, secret, practitioner(world, "martin")))

    for who in ("martin", "iris"):
        assert world.get(who, f"/Consent/{id_}").status_code == 404
        assert id_ not in world.found(who, f"/Consent?patient={world.ids['camille']}")


def test_withholding_it_changes_nothing_of_the_document(two):
    world, secret, _ = two
    before = world.get("martin", f"/DocumentReference/{secret}")

    choose(world, only_for(world, secret, practitioner(world, "martin")))

    after = world.get("martin", f"/DocumentReference/{secret}")
    assert (after.headers["ETag"], after.get_data()) == (before.headers["ETag"], before.get_data())


class TestLabels:
    """Choices by the documents' own labels (PCF advanced): N for all whom a permit reaches, PSY for one besides."""

    ACT_CODE = f"{TERMINOLOGY}/v3-ActCode"
    CONFIDENTIALITY = f"{TERMINOLOGY}/v3-Confidentiality"

    def labelled(self, world: World, *codes):
        """File a document with these labels alone."""
        bundle = world.bundle(world.filing())
        found = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DocumentReference")
        systems = [(self.CONFIDENTIALITY if code in "NRV" else self.ACT_CODE, code) for code in codes]
        found["securityLabel"] = [{"coding": [{"system": system, "code": code}]} for system, code in systems]
        answer = world.send("chu-ehr", "POST", "", bundle)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        places = [entry["response"]["location"] for entry in answer.get_json()["entry"]]
        return next(p.split("/DocumentReference/")[1].split("/")[0] for p in places if "/DocumentReference/" in p)

    def seen(self, world: World, who):
        return set(world.found(who, f"/DocumentReference?patient={world.ids['camille']}"))

    def test_the_published_example_over_http(self, world: World):
        world.professional("iris", "10", "other")
        normal, psychiatric = self.labelled(world, "N"), self.labelled(world, "R", "PSY")
        self.labelled(world, "R")
        consent = world.consent("martin") | {"organization": [{"reference": f"Organization/{world.ids['other']}"}]}
        label = {"system": self.CONFIDENTIALITY, "code": "N"}
        focused = {"type": "permit", "securityLabel": [{"system": self.ACT_CODE, "code": "PSY"}]}
        consent["provision"] = {
            "type": "permit",
            "purpose": consent["provision"]["purpose"],
            "securityLabel": [label],
            "provision": [focused | {"actor": [practitioner(world, "martin")]}],
        }

        choose(world, consent)

        assert self.seen(world, "martin") == {normal, psychiatric}
        assert self.seen(world, "iris") == {normal}
        assert world.get("iris", f"/DocumentReference/{psychiatric}").status_code == 404

    def test_what_is_restricted_is_withheld(self, two):
        world, *plain = two
        restricted = self.labelled(world, "R")
        consent = only_for(world, restricted)
        consent["provision"] = {"type": "deny", "securityLabel": [{"system": self.CONFIDENTIALITY, "code": "R"}]}

        choose(world, consent)

        assert self.seen(world, "martin") == set(plain)
        assert restricted in self.seen(world, "camille")

    def test_a_label_that_its_depositor_changes_counts_at_once(self, world: World):
        document = self.labelled(world, "R")
        consent = world.consent("martin")
        consent["provision"]["securityLabel"] = [{"system": self.CONFIDENTIALITY, "code": "N"}]
        choose(world, consent)
        assert self.seen(world, "martin") == set()
        normal = {"coding": [{"system": self.CONFIDENTIALITY, "code": "N"}]}
        change = [{"op": "replace", "path": "/securityLabel/0", "value": normal}]

        answer = world.send("chu-ehr", "PATCH", f"/DocumentReference/{document}", change, JSON_PATCH)

        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert self.seen(world, "martin") == {document}


class TestSecretsOfAMinor:
    """A choice about a minor's secret is a secret too: representatives see neither it nor its trace (B6, B10)."""

    @pytest.fixture
    def family(self, world: World):
        world.patient("lea", "284039999900255", "2010-06-01")
        related = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{world.ids['lea']}"}}
        person = f"RelatedPerson/{world.record('marc', related)}"
        rule = {"coding": [{"system": "urn:habilis:directive", "code": "representative"}]}
        patient = {"reference": f"Patient/{world.ids['lea']}"}
        said = world.consent("nour") | {"patient": patient, "policyRule": rule}
        said["provision"] = {"type": "permit", "actor": [named(person)]}
        assert world.send("keeper", "POST", "/Consent", said).status_code == 201
        represented = RepresentedPatient(world.ids["lea"], person, "lea")
        account = Account("marc", RequesterKind.RELATED, person, "marc", patients=(represented,), subject="marc")
        app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
        world.tokens["marc"] = world.mint(
            client=app, account=account, scopes="patient/*.cruds", launch_patient=world.ids["lea"]
        )
        return world

    def events(self, world: World, who):
        answer = world.get(who, f"/AuditEvent?patient={world.ids['lea']}&_count=100")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_data(as_text=True)

    @pytest.mark.parametrize(("marks", "status"), [((), 200), (("INVISIBLE_REPRESENTANTS_LEGAUX",), 404)])
    def test_the_parent_sees_what_is_no_secret(self, family: World, marks, status):
        world = family
        document = world.publish(patient="lea", marks=marks)
        consent = only_for(world, document, practitioner(world, "martin"))
        id_ = choose(world, consent | {"patient": {"reference": f"Patient/{world.ids['lea']}"}}, "lea")

        assert world.get("lea", f"/Consent/{id_}").status_code == 200
        assert id_ in self.events(world, "lea")
        assert (id_ in self.events(world, "marc")) is (status == 200), "before the parent names it"
        assert (id_ in world.found("marc", f"/Consent?patient={world.ids['lea']}")) is (status == 200)
        assert world.get("marc", f"/Consent/{id_}").status_code == status

    def test_a_choice_becomes_a_secret_with_its_document(self, family: World):
        world = family
        document = world.publish(patient="lea")
        patient = {"patient": {"reference": f"Patient/{world.ids['lea']}"}}
        id_ = choose(world, only_for(world, document) | patient, "lea")
        assert world.get("marc", f"/Consent/{id_}").status_code == 200

        assert world.hide(document, "lea", "INVISIBLE_REPRESENTANTS_LEGAUX").status_code == 200

        assert world.get("marc", f"/Consent/{id_}").status_code == 404
        read = world.get("lea", f"/Consent/{id_}")
        assert (read.status_code, read.headers["ETag"]) == (200, 'W/"1"')
        change = world.send("lea", "PATCH", f"/Consent/{id_}", INACTIVE, JSON_PATCH, If_Match='W/"1"')
        assert change.status_code == 200, change.get_data(as_text=True)

    def test_a_choice_that_was_a_secret_stays_one(self, family: World):
        world = family
        secret = world.publish(patient="lea", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
        plain = world.publish(patient="lea")
        patient = {"patient": {"reference": f"Patient/{world.ids['lea']}"}}
        id_ = choose(world, only_for(world, secret) | patient, "lea")

        answer = world.send("lea", "PUT", f"/Consent/{id_}", only_for(world, plain) | patient | {"id": id_})

        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert world.get("marc", f"/Consent/{id_}").status_code == 404
        assert world.get("marc", f"/Consent/{id_}/_history").status_code == 404
