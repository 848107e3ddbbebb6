"""Fear: that an id, an identifier or a number in a request is answered by what the caller may not know of.

AC11 (writes as oracles), AC16 (batch), AC20 (is there such a patient?), AC26 (an app and another patient's data),
AC40 (numbers without measure).
"""

import json

import pytest
from werkzeug.test import TestResponse

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from tests.holds import holds
from tests.world import BASE, INS, JSON_PATCH, LABORATORY, OF_PATIENT, REPORT, World

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
FIRST = "00000000-54a5-4d8e-9b59-0f7a1d5c6b7e"
ZORA = "284039999900999"


def told(answer: TestResponse) -> tuple[int, bytes]:
    """Return what two answers must have in common."""
    return answer.status_code, answer.get_data()


@pytest.fixture
def two(world: World) -> World:
    """Open a second space, of which neither Camille's app nor Dr Martin knows anything."""
    world.patient("zora", ZORA)
    world.ids["ghost"] = UNKNOWN
    return world


class TestAnIdAmongOthers:
    """The visible one is found, whatever else is named beside it."""

    @pytest.fixture
    def seen(self, two: World) -> World:
        two.ids["seen"] = two.publish()
        assert two.agree("camille", "martin").status_code == 201
        return two

    @pytest.mark.parametrize("who", ["camille", "martin"])
    def test_another_patients_id_is_an_unknown_one(self, seen, who):
        foreign = min(seen.publish(patient="zora") for _ in range(8))
        found = seen.found(who, f"/DocumentReference?_id={foreign},{seen.ids['seen']}")
        assert found == seen.found(who, f"/DocumentReference?_id={FIRST},{seen.ids['seen']}") == [seen.ids["seen"]]

    def test_a_hidden_id_is_an_unknown_one(self, seen):
        hidden = seen.publish()
        seen.hide(hidden)
        assert seen.found("martin", f"/DocumentReference?_id={hidden},{seen.ids['seen']}") == [seen.ids["seen"]]

    def test_the_own_traces_do_not_tell_whose_space_a_hidden_id_is_in(self, seen):
        """A search by a hidden id is traced as a refusal, which its author does not read; the holder does."""
        hidden = seen.publish()
        seen.hide(hidden)
        journal = f"/AuditEvent?patient={seen.ids['camille']}&_count=100"

        def traces(who: str, query: str) -> int:
            return seen.get(who, f"{journal}{query}&_summary=count").get_json()["total"]

        before = traces("martin", ""), traces("camille", "&outcome=4")
        assert seen.found("martin", f"/DocumentReference?_id={hidden}") == []
        assert seen.get("martin", f"/DocumentReference?_id={hidden}&_summary=count").get_json()["total"] == 0
        after = traces("martin", ""), traces("camille", "&outcome=4")
        assert after == (before[0] + 1, before[1] + 2)  # the journal itself was looked at once

    def test_more_ids_than_a_page_holds_are_refused(self, seen):
        ids = ",".join(f"a{number}" for number in range(201))
        assert seen.get("camille", f"/DocumentReference?_id={ids}").status_code == 400


class TestAnotherPatient:
    """An app of Camille's asks about Zora as about nobody, whichever way it writes (AC20, AC26)."""

    @holds("AC26")
    @pytest.mark.parametrize("named", ["reference", "identifier", "conditional"])
    def test_a_choice_in_a_known_and_in_an_unknown_name(self, two, named):
        def choose(patient: str, ins: str) -> TestResponse:
            subject = {
                "reference": {"reference": f"Patient/{patient}"},
                "identifier": {"identifier": {"system": INS, "value": ins}},
                "conditional": {"reference": f"Patient?identifier={INS}|{ins}"},
            }[named]
            return two.send("camille", "POST", "/Consent", two.consent("martin") | {"patient": subject})

        known = choose(two.ids["zora"], ZORA)
        assert known.status_code == 403
        assert told(known) == told(choose(UNKNOWN, "299999999999999"))

    @pytest.mark.parametrize("named", ["reference", "identifier"])
    def test_a_choice_moved_to_a_known_and_to_an_unknown_name(self, two, named):
        made = two.agree("camille", "martin").get_json()

        def move(patient: str, ins: str) -> TestResponse:
            subject = {
                "reference": {"reference": f"Patient/{patient}"},
                "identifier": {"identifier": {"system": INS, "value": ins}},
            }[named]
            return two.send("camille", "PUT", f"/Consent/{made['id']}", made | {"patient": subject})

        assert told(move(two.ids["zora"], ZORA)) == told(move(UNKNOWN, "299999999999999"))

    @pytest.mark.parametrize("transaction", ["ITI-65", "ITI-105"])
    def test_a_document_for_a_known_and_for_an_unknown_patient(self, two, transaction):
        def file(patient: str) -> TestResponse:
            if transaction == "ITI-105":
                return two.send("camille", "POST", "/DocumentReference", two.simplified(patient=patient))
            return two.send("camille", "POST", "", two.bundle(two.filing(patient=patient)))

        assert file("zora").status_code == 403
        assert told(file("zora")) == told(file("ghost"))

    def test_a_submission_that_names_two_patients(self, two):
        def file(patient: str) -> TestResponse:
            bundle = two.bundle(two.filing())
            bundle["entry"][1]["resource"]["subject"] = {"reference": f"Patient/{two.ids[patient]}"}
            return two.send("camille", "POST", "", bundle)

        assert told(file("zora")) == told(file("ghost"))

    def test_an_identifier_inside_a_document_gives_no_id(self, two):
        """A conditional reference is resolved for whoever could look the patient up, and for nobody else."""

        def file(ins: str) -> TestResponse:
            body = two.simplified(type_=OF_PATIENT, **two.as_filed_by("camille"))
            kin = {"resourceType": "RelatedPerson", "id": "kin"}
            body["contained"].append(kin | {"patient": {"reference": f"Patient?identifier={INS}|{ins}"}})
            body["context"]["related"] = [{"reference": "#kin"}]
            return two.send("camille", "POST", "/DocumentReference", body)

        known = file(ZORA)
        assert known.status_code == 422
        assert told(known) == told(file("299999999999999"))
        assert file("284039999900148").status_code == 201  # her own

    def test_a_choice_is_no_target_for_whoever_does_not_see_it(self, two):
        block = two.agree("camille", "martin", "deny").get_json()["id"]

        def file(id_: str) -> TestResponse:
            body = two.simplified(**two.as_filed_by("martin"))
            body["context"]["related"] = [{"reference": f"Consent/{id_}"}]
            return two.send("martin", "POST", "/DocumentReference", body)

        assert told(file(block)) == told(file(UNKNOWN))
        assert file(block).status_code == 422


class TestAnAppBeyondItsGrant:
    def test_files_no_document_of_another_type_than_its_scope_names(self, world):
        code = "|".join(REPORT[:2])
        world.software("narrow", f"system/DocumentReference.cu?type={code}", "chu")
        assert world.send("narrow", "POST", "/DocumentReference", world.simplified()).status_code == 201
        for answer in (
            world.send("narrow", "POST", "/DocumentReference", world.simplified(type_=LABORATORY)),
            world.send("narrow", "POST", "", world.bundle(world.filing(), world.filing(type_=LABORATORY))),
        ):
            assert answer.status_code == 403
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
        assert len(world.found("camille", "/DocumentReference")) == 1

    @holds("AC27")
    @pytest.mark.parametrize("scopes", ["patient/*.cu", "patient/*.cu patient/Patient.r"])
    def test_reads_nothing_by_writing(self, world, scopes):
        """AC27: a change that changes nothing, and a creation that finds what is there, are answered without it."""
        document = world.publish()
        first = world.consent("martin") | {"identifier": [{"system": "urn:x", "value": "1"}]}
        choice = world.send("camille", "POST", "/Consent", first).get_json()["id"]
        world.tokens["few"] = _few(world, scopes)
        entry = {"request": {"method": "PATCH", "url": f"Consent/{choice}"}}
        entry["resource"] = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": "W10="}
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        answers = [
            world.send("few", "PATCH", f"/DocumentReference/{document}", [], JSON_PATCH),
            world.send("few", "PATCH", f"/Consent/{choice}", [], JSON_PATCH, Prefer="return=representation"),
            world.send("few", "POST", "/Consent", first, If_None_Exist="identifier=urn:x|1"),
            world.send("few", "POST", "", bundle, Prefer="return=representation"),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4
        for answer in answers:
            assert b"securityLabel" not in answer.get_data()
            assert b"provision" not in answer.get_data()
        whole = world.send("camille", "PATCH", f"/DocumentReference/{document}", [], JSON_PATCH)
        assert whole.get_json()["id"] == document

    @pytest.mark.parametrize(
        "path",
        [
            "/DocumentReference/{id}",
            "/DocumentReference/{id}/_history",
            "/DocumentReference?patient={patient}",
            "/DocumentReference/{id}/$audience",
            "/Patient/{patient}/$explain",
        ],
    )
    def test_a_reading_that_the_scopes_refuse_is_traced(self, world, path):
        """S-060: every decision is logged; what a refused app asked for is told where the app was let in."""
        document = world.publish()
        world.tokens["few"] = _few(world)
        answer = world.get("few", path.format(id=document, patient=world.ids["camille"]))
        assert answer.status_code == 403
        refused = world.get("camille", "/AuditEvent?outcome=4").get_json()["entry"]
        assert [entry["resource"]["outcomeDesc"] for entry in refused] == ["insufficient-scope"]

    def test_leaves_no_key_for_whom_nobody_knows(self, world):
        """AC20: a trace in the name of a patient without a space would make one of them."""
        app = Client(id="few", name="few", kind=ClientKind.PATIENT_APP)
        account = Account("none", RequesterKind.PATIENT, f"Patient/{UNKNOWN}", "none", subject="none")
        what = {"client": app, "account": account, "scopes": "patient/Consent.rs", "launch_patient": UNKNOWN}
        world.tokens["few"] = world.mint(**what)
        assert world.get("few", f"/DocumentReference?patient={UNKNOWN}").status_code == 403
        assert world.runtime.ports.store._keyring.shelf.newest(UNKNOWN) is None


def _few(world: World, scopes: str = "patient/Consent.rs") -> str:
    """Give an app of Camille's a token that opens her choices only, or what the scopes say."""
    id_ = world.ids["camille"]
    represented = RepresentedPatient(id_, f"Patient/{id_}", "camille")
    account = Account(
        "camille", RequesterKind.PATIENT, represented.person, "camille", patients=(represented,), subject="few"
    )
    app = Client(id="few", name="few", kind=ClientKind.PATIENT_APP)
    return world.mint(client=app, account=account, scopes=scopes, launch_patient=id_)


class TestADeletion:
    def test_of_what_is_not_there_or_not_seen_is_traced(self, world):
        """DESIGN 9: no interaction without its trace; the holder reads who tried to delete what is hidden."""
        hidden = world.publish()
        world.agree("camille", "martin")
        world.hide(hidden)
        before = world.get("camille", "/AuditEvent?action=D&_summary=count").get_json()["total"]
        answers = [world.send("martin", "DELETE", f"/DocumentReference/{id_}") for id_ in (hidden, UNKNOWN)]
        assert told(answers[0]) == told(answers[1]) == (204, b"")
        assert world.get("camille", "/AuditEvent?action=D&outcome=4&_summary=count").get_json()["total"] == before + 1

    @pytest.mark.parametrize("kind", ["batch", "transaction"])
    @pytest.mark.parametrize(
        "url", ["DocumentReference?", "DocumentReference?_count=1", "DocumentReference/", "DocumentReference"]
    )
    def test_that_names_nothing_is_refused_and_not_said_to_be_done(self, world, kind, url):
        """AC16: an entry of a batch that names neither an id nor criteria must not say 204."""
        answer = _delete(world, "chu-ehr", kind, url)
        body = answer.get_json()
        outcome = body["entry"][0]["response"]["outcome"] if kind == "batch" else body
        assert answer.status_code == (200 if kind == "batch" else 400)
        assert outcome["issue"][0]["expression"] == ["Bundle.entry[0].request.url"]

    @holds("AC16")
    @pytest.mark.parametrize("kind", ["batch", "transaction"])
    @pytest.mark.parametrize("named", ["_id", "identifier"])
    def test_by_criteria_that_meet_what_is_hidden_is_one_by_criteria_that_meet_nothing(self, world, kind, named):
        """R4 answers 204 when nothing meets the criteria (ADR 111): what is hidden is then kept, and the same is said.

        The holder reads who tried it; whoever tried it reads nothing of it.
        """
        filing = world.filing()
        hidden = world.publish_all("chu-ehr", filing)[0]
        world.agree("camille", "martin")
        world.hide(hidden)
        seen = f"urn:ietf:rfc:3986|urn:oid:{filing.unique_id}"
        values = {"_id": (hidden, UNKNOWN), "identifier": (seen, f"{seen}0")}[named]
        refusals = f"/AuditEvent?patient={world.ids['camille']}&outcome=4&_summary=count"
        before = world.get("camille", refusals).get_json()["total"]
        answers = [_delete(world, "martin", kind, f"DocumentReference?{named}={value}") for value in values]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].get_json()["entry"] == [{"response": {"status": "204 No Content"}}]
        assert world.get("camille", f"/DocumentReference/{hidden}").status_code == 200
        assert world.get("camille", refusals).get_json()["total"] == before + 1

    def test_of_nothing_is_not_told_in_the_space_of_another_entry(self, world):
        """A line in Camille's journal, or its absence, must not tell her what Zora's space holds."""
        world.agree("camille", "martin")
        world.patient("zora", ZORA)
        filing = world.filing(patient="zora")
        world.publish_all("chu-ehr", filing)
        hidden = world.publish()
        world.hide(hidden)
        number = f"DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:{filing.unique_id}"
        lines = []
        for url in (number, f"{number}0"):
            answer = _delete(world, "martin", "transaction", f"DocumentReference?_id={hidden}", url)
            assert answer.get_json()["entry"] == [{"response": {"status": "204 No Content"}}] * 2
            journal = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&outcome=4&_summary=count")
            lines.append(journal.get_json()["total"])
        assert lines == [1, 2]


def _delete(world: World, who: str, kind: str, *urls: str) -> TestResponse:
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    return world.send(who, "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})


@pytest.mark.parametrize("count", ["9" * 5000, "9" * 10, "٣", "-1", "1.5", "²"])
def test_a_count_without_measure_is_a_bad_request(world, count):
    """AC40."""
    answer = world.get("camille", f"/DocumentReference?_count={count}")
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "_count"


class TestAFolder:
    @pytest.fixture
    def folder(self, two: World) -> World:
        bundle = two.bundle(two.filing())
        lot = bundle["entry"][0]["resource"]
        body = _folder(lot["subject"], bundle["entry"][1]["fullUrl"])
        full_url = "urn:uuid:11111111-2ddc-4b3f-be54-1534cfcb7a4d"
        bundle["entry"].append({"fullUrl": full_url, "resource": body, "request": {"method": "POST", "url": "List"}})
        lot["entry"].append({"item": {"reference": full_url}})
        answer = two.send("chu-ehr", "POST", "", bundle)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        two.ids["folder"] = answer.get_json()["entry"][-1]["response"]["location"].split("/")[-3]
        return two

    def test_takes_no_document_that_its_owner_does_not_see(self, folder):
        """ITI-65: what an update of a folder names is looked up as in any submission."""
        path = f"/List/{folder.ids['folder']}"
        before = folder.get("chu-ehr", path).get_json()

        def update(document: str) -> TestResponse:
            bundle = folder.bundle(folder.filing())
            entry = {"item": {"reference": f"DocumentReference/{document}"}}
            changed = json.loads(json.dumps(before)) | {"entry": [*before["entry"], entry]}
            request = {"method": "PUT", "url": f"List/{folder.ids['folder']}"}
            bundle["entry"].append({"fullUrl": f"{BASE}{path}", "resource": changed, "request": request})
            return folder.send("chu-ehr", "POST", "", bundle)

        foreign = update(folder.publish("other-ehr", patient="zora", place="other"))
        hidden = update(folder.publish("other-ehr", place="other"))
        unknown = update(UNKNOWN)
        assert unknown.status_code == 422
        assert told(foreign) == told(hidden) == told(unknown)
        assert folder.get("chu-ehr", path).get_json() == before


def _folder(subject: dict[str, str], document: str) -> dict[str, object]:
    mhd = "https://profiles.ihe.net/ITI/MHD"
    unique = {"coding": [{"system": f"{mhd}/CodeSystem/IHE.MHD.MHDIdentifierType", "code": "uniqueId"}]}
    kind = {"coding": [{"system": "urn:x", "code": "y"}]}
    return {
        "resourceType": "List",
        "meta": {"profile": [f"{mhd}/StructureDefinition/IHE.MHD.Minimal.Folder"]},
        "identifier": [{"type": unique, "system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3.4.5"}],
        "extension": [{"url": f"{mhd}/StructureDefinition/ihe-designationType", "valueCodeableConcept": kind}],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": f"{mhd}/CodeSystem/MHDlistTypes", "code": "folder"}]},
        "title": "T",
        "subject": subject,
        "date": "2026-02-01T10:00:00+01:00",
        "entry": [{"item": {"reference": document}}],
    }
