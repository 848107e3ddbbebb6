"""The defaults of a space as Consents of their own (PPQ-3): born with it, changed by the holder, never contradicted.

Source: CH EPR PPQm 5.0, templates 202 and 203; rules E12 (new documents), G4 and G5 (emergencies); docs/consents.md.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.spaces import default_consents, lifecycle
from fhir_server.domain import record_codec
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import Search
from fhir_server.http.pages.patient import journal_lines
from tests.engines import ENGINES, MongoEngine
from tests.holds import holds
from tests.http.choices import setting
from tests.http.spaces import UNKNOWN, announce, call, parent, reason, sign_in
from tests.world import INS, JSON_PATCH, World

BTG, ETREAT = Purpose.BREAK_GLASS, Purpose.EMERGENCY
IDS = "http://fhir.ch/ig/ch-epr-fhir/CodeSystem/PpqmConsentIdentifierType"
LEVELS = {"202": "access-level", "203": "provide-level"}
PURPOSES = {"202": ["EMER"], "203": ["NORM", "AUTO", "DICOM_AUTO"]}


@pytest.fixture(params=ENGINES)
def runtime(request, runtime, tmp_path) -> Iterator[Runtime]:
    """The same tests on the embedded store and on the one to grow."""
    if request.param == "sqlite":
        yield runtime
        return
    (tmp_path / "mongo").mkdir()
    engine = MongoEngine(tmp_path / "mongo", request.getfixturevalue("mongo_server"))
    yield replace(runtime, ports=replace(engine.ports, clock=runtime.ports.clock))
    engine.close()


@pytest.fixture
def ward(world: World) -> World:
    """Dr Nour may break the glass, Dr Martin regulates calls."""
    world.in_mode("nour-btg", "nour", ("10", "chu", Capacity.NONE), BTG)
    world.in_mode("martin-samu", "martin", ("10", "other", Capacity.NONE), ETREAT)
    return world


def stands(world: World, who="camille", patient="camille"):
    """Return the defaults that somebody finds in a space, by template: id, status, level."""
    answer = world.get(who, f"/Consent?patient={world.ids[patient]}&_count=100")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = {}
    for consent in (entry["resource"] for entry in answer.get_json().get("entry", [])):
        named = {i["type"]["coding"][0]["code"]: i["value"] for i in consent.get("identifier", [])}
        if named.get("templateId") in LEVELS:
            level = consent["policyRule"]["coding"][0]["code"].rpartition(":")[2]
            assert named["templateId"] not in found, "one of each"
            found[named["templateId"]] = (consent["id"], consent["status"], level)
    return found


def standing(world: World, template):
    return stands(world)[template][1:]


def state(world: World, patient="camille"):
    with world.runtime.ports.store.snapshot() as snapshot:
        return record_codec.load(snapshot.load_space(world.ids[patient]).state)


def a_default(world: World, template, level="normal", status="active", patient="camille"):
    uri = f"urn:e-health-suisse:2015:policies:{LEVELS[template]}:{level}"
    role = {"system": "urn:oid:2.16.756.5.30.1.127.3.10.6", "code": "HCP"}
    return {
        "resourceType": "Consent",
        "identifier": [
            {"type": {"coding": [{"system": IDS, "code": code}]}, "value": value}
            for code, value in (
                ("policySetId", "urn:uuid:710e4211-d431-430b-a849-1d689e74e4c2"),
                ("templateId", template),
            )
        ],
        "status": status,
        "scope": world.consent("martin")["scope"],
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA"}]}],
        "patient": {"reference": f"Patient/{world.ids[patient]}"},
        "policyRule": {"coding": [{"system": "urn:ietf:rfc:3986", "code": uri}]},
        "provision": {
            "actor": [{"role": {"coding": [role]}, "reference": {"display": "all"}}],
            "purpose": [{"system": "urn:oid:2.16.756.5.30.1.127.3.10.5", "code": code} for code in PURPOSES[template]],
        },
    }


def bring(world: World, template, level="normal", status="active", who="camille", patient="camille"):
    """Change a default of a space by a patch of its level and status."""
    id_ = stands(world, who, patient)[template][0]
    uri = f"urn:e-health-suisse:2015:policies:{LEVELS[template]}:{level}"
    operations = [
        {"op": "replace", "path": "/status", "value": status},
        {"op": "replace", "path": "/policyRule/coding/0/code", "value": uri},
    ]
    return world.send(who, "PATCH", f"/Consent/{id_}", operations, JSON_PATCH)


def choose(world: World, consent):
    answer = world.send("camille", "POST", "/Consent", consent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()["id"]


def withdraw(world: World, id_):
    status = [{"op": "replace", "path": "/status", "value": "inactive"}]
    answer = world.send("camille", "PATCH", f"/Consent/{id_}", status, JSON_PATCH)
    assert answer.status_code == 200, answer.get_data(as_text=True)


def off(world: World, *modes, **more):
    purposes = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": mode} for mode in modes]
    stated = {"purpose": purposes} if purposes else {}
    return world.consent("martin") | {"provision": {"type": "deny"} | stated | more}


def emergency(world: World, who="nour-btg", patient="camille"):
    operation = "break-glass" if who == "nour-btg" else "regulation-access"
    return call(world, who, operation, patient, reason()).status_code


def told(world: World, subtype, outcome):
    """Return what the journal page tells of some events, in English and in no order: the clock stands still."""
    path = f"/AuditEvent?patient={world.ids['camille']}&subtype={subtype}&outcome={outcome}"
    events = [entry["resource"] for entry in world.get("camille", path).get_json().get("entry", [])]
    with world.web.application.test_request_context(headers={"Accept-Language": "en"}):
        return sorted(journal_lines.line_of(event, {}).act for event in events)


def said(answer):
    issue = answer.get_json()["issue"][0]
    return answer.status_code, issue["details"]["text"], issue["expression"]


class TestBirth:
    """Every way to a space leaves the same two Consents, in the same commit."""

    def test_a_space_is_born_with_its_defaults(self, world: World):
        assert {template: made[1:] for template, made in stands(world).items()} == {
            "202": ("active", "normal"),
            "203": ("active", "normal"),
        }
        for id_, *_ in stands(world).values():
            consent = world.get("camille", f"/Consent/{id_}").get_json()
            assert consent["dateTime"] == "2026-03-02T09:00:00.000Z"
            assert consent["patient"] == {"reference": f"Patient/{world.ids['camille']}"}
            assert consent["identifier"][0]["value"] == f"urn:uuid:{id_}"
            assert "performer" not in consent
            assert consent["meta"]["versionId"] == "1"

    @pytest.mark.parametrize("template", LEVELS)
    def test_each_is_found_by_its_template(self, world: World, template):
        path = f"/Consent?patient={world.ids['camille']}&identifier={template}"
        assert world.found("camille", path) == [stands(world)[template][0]]

    def test_the_database_does_not_show_which_consents_of_two_spaces_are_alike(self, world: World):
        bring(world, "202", status="inactive")
        key = tokens.identifier_key("identifier", "", "202")
        own = tokens.identifier_key("identifier", "", f"urn:uuid:{stands(world)['202'][0]}")
        with world.runtime.ports.store.snapshot() as snapshot:
            assert snapshot.compartments_with("Consent", key, 5) == ()
            assert len(snapshot.compartments_with("Consent", own, 5)) == 1

    def test_what_is_filed_is_what_the_template_says(self, world: World):
        for template, (id_, *_) in stands(world).items():
            consent = world.get("camille", f"/Consent/{id_}").get_json()
            made = a_default(world, template)
            assert {name: consent[name] for name in made if name != "identifier"} | {
                "provision": consent["provision"] | {"purpose": sorted(map(str, consent["provision"]["purpose"]))}
            } == {name: made[name] for name in made if name != "identifier"} | {
                "provision": made["provision"] | {"purpose": sorted(map(str, made["provision"]["purpose"]))}
            }
            answer = world.send("camille", "PUT", f"/Consent/{id_}", consent)
            assert answer.status_code == 200, "what was read is accepted again"

    def test_the_state_that_decides_holds_nothing_of_them(self, world: World):
        assert state(world).directives == ()

    def test_an_announced_space_opens_with_them_and_no_job_is_needed(self, ward: World, clock):
        assert announce(ward).status_code == 201
        assert ward.get("new", f"/Consent?patient={ward.ids['new']}").status_code == 403, "nobody enters before"
        clock.advance(weeks=7)
        assert {made[1:] for made in stands(ward, "new", "new").values()} == {("active", "normal")}
        for id_, *_ in stands(ward, "new", "new").values():
            consent = ward.get("new", f"/Consent/{id_}").get_json()
            assert consent["dateTime"] == "2026-03-02T09:00:00.000Z", "they are of the announcement"
        assert emergency(ward, patient="new") == 200
        assert bring(ward, "202", status="inactive", who="new", patient="new").status_code == 200
        assert emergency(ward, patient="new") == 403

    def test_a_transaction_that_creates_a_patient_files_them_too(self, world: World):
        resource = {"resourceType": "Patient", "identifier": [{"system": INS, "value": "184039999900321"}]}
        entry = {"resource": resource, "request": {"method": "POST", "url": "Patient"}}
        answer = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert len(answer.get_json()["entry"]) == 1
        world.ids["new"] = answer.get_json()["entry"][0]["response"]["location"].split("/Patient/")[1].split("/")[0]
        sign_in(world, "new", "new")
        assert set(stands(world, "new", "new")) == {"202", "203"}

    def test_a_patient_who_is_known_already_gets_no_second_ones(self, world: World):
        resource = {"resourceType": "Patient", "identifier": [{"system": INS, "value": "284039999900148"}]}
        condition = f"identifier={INS}|284039999900148"
        assert world.send("keeper", "POST", "/Patient", resource, If_None_Exist=condition).status_code == 200
        assert world.send("keeper", "POST", "/Patient", resource).status_code == 409
        assert set(stands(world)) == {"202", "203"}

    def test_the_trace_of_the_opening_names_them(self, world: World):
        found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&subtype=create").get_json()["entry"]
        (event,) = (entry["resource"] for entry in found)
        named = {entity["what"].get("reference") for entity in event["entity"]}
        assert named >= {f"Consent/{made[0]}" for made in stands(world).values()}
        data = [e for e in event["entity"] if e["type"]["code"] == "2"]
        assert [e["what"]["reference"] for e in data] == [f"Patient/{world.ids['camille']}"], "BALP allows one"

    def test_the_journal_says_that_the_space_was_opened(self, world: World):
        opened, setting = "recorded the patient and the space", "changed a setting of the space"
        assert told(world, "create", "0") == [opened]
        choose(world, off(world, BTG))
        assert told(world, "create", "0") == [setting, opened]
        assert told(world, "update", "0") == ["changed a choice about access"]
        bring(world, "203", "restricted")
        assert told(world, "patch", "0") == [setting]
        assert world.send("camille", "POST", "/Consent", a_default(world, "202")).status_code == 409
        assert told(world, "create", "4") == ["wanted to record something in the space"]

    def test_erased_with_the_space(self, world: World):
        ids = {made[0] for made in stands(world).values()}
        body = {"resourceType": "Parameters", "parameter": [{"name": "erase", "valueBoolean": True}]}
        assert call(world, "camille", "close-space", body=body).status_code == 200
        assert call(world, "keeper", "erase-space").status_code == 200
        with world.runtime.ports.store.snapshot() as snapshot:
            left = snapshot.find(Search("Consent"), whole_space(ReadingReason.OPERATOR, world.ids["camille"]))
            assert (left.rows, [snapshot.locate("Consent", id_) for id_ in ids]) == ((), [None, None])


class TestWhoSeesThem:
    """They are the holder's side's alone; to everybody else they do not exist."""

    def test_a_representative_sees_and_changes_them(self, ward: World):
        ward.patient("leo", "115039999900171", "2020-05-01")
        parent(ward, "mother", "leo")
        assert {made[1:] for made in stands(ward, "mother", "leo").values()} == {("active", "normal")}
        assert bring(ward, "202", status="inactive", who="mother", patient="leo").status_code == 200
        assert emergency(ward, patient="leo") == 403

    @pytest.mark.parametrize("as_what", ["agreed", "declared-physician", "administrator", "stranger", "depositor"])
    def test_no_professional_does(self, world: World, as_what):
        who = {"stranger": "zoe", "depositor": "chu-ehr"}.get(as_what, "martin")
        if as_what == "agreed":
            world.agree("camille", "martin")
        elif who == "martin":
            rule = {"coding": [{"system": "urn:habilis:directive", "code": as_what}]}
            choose(world, world.consent("martin") | {"policyRule": rule})
        world.publish()
        for id_, *_ in stands(world).values():
            unknown = world.get(who, f"/Consent/{UNKNOWN}")
            hidden = world.get(who, f"/Consent/{id_}")
            assert (hidden.status_code, hidden.get_data()) == (unknown.status_code, unknown.get_data())
            for path in (f"/Consent/{id_}/_history", f"/Consent/{id_}/_history/1"):
                assert world.get(who, path).status_code in (403, 404)
        if who == "martin":
            assert stands(world, "martin") == {}
            path = f"/Consent?patient={world.ids['camille']}&_summary=count"
            assert world.get("martin", path).get_json()["total"] == 1, "the own one"

    @pytest.mark.parametrize("who", ["martin", "keeper", "chu-ehr"])
    def test_who_knows_an_id_cannot_find_out_what_was_chosen(self, world: World, who):
        world.agree("camille", "martin")
        id_ = stands(world)["202"][0]
        probes = (
            ("PATCH", [{"op": "test", "path": "/status", "value": "active"}], JSON_PATCH, {}),
            ("PATCH", [{"op": "test", "path": "/status", "value": "inactive"}], JSON_PATCH, {}),
            ("PUT", a_default(world, "202") | {"id": id_}, "application/fhir+json", {"If_Match": 'W/"7"'}),
        )
        for method, body, mime, headers in probes:
            unknown = body | {"id": UNKNOWN} if isinstance(body, dict) else body
            known = world.send(who, method, f"/Consent/{id_}", body, mime, **headers)
            other = world.send(who, method, f"/Consent/{UNKNOWN}", unknown, mime, **headers)
            assert (known.status_code, known.get_data()) == (other.status_code, other.get_data())
            assert known.status_code in (403, 404)

    def test_nobody_else_states_one(self, world: World):
        world.agree("camille", "martin")
        for who in ("martin", "keeper", "chu-ehr"):
            for made in (a_default(world, "202", status="inactive"), a_default(world, "203", "restricted")):
                assert world.send(who, "POST", "/Consent", made).status_code == 403
        assert {made[1:] for made in stands(world).values()} == {("active", "normal")}


class TestChangingThem:
    """The holder changes the very default; it holds from the next request on."""

    @holds("PPQ-3")
    def test_emergencies_off_and_on_again(self, ward: World):
        assert (emergency(ward), emergency(ward, "martin-samu")) == (200, 200)
        assert bring(ward, "202", status="inactive").status_code == 200
        assert (emergency(ward), emergency(ward, "martin-samu")) == (403, 403)
        assert bring(ward, "202").status_code == 200
        assert (emergency(ward), emergency(ward, "martin-samu")) == (200, 200)

    def test_from_off_to_wide_in_one_step(self, ward: World):
        hidden = ward.publish(marks=("MASQUE_PS",), who="chu-ehr", place="chu")
        assert bring(ward, "202", status="inactive").status_code == 200
        assert bring(ward, "202", "restricted").status_code == 200
        assert emergency(ward, "martin-samu") == 200
        assert ward.get("martin-samu", f"/DocumentReference/{hidden}").status_code == 200

    @holds("E12")
    def test_new_documents_hidden(self, world: World):
        world.agree("camille", "martin")
        first = world.publish()
        assert bring(world, "203", "restricted").status_code == 200
        second = world.publish()
        assert [world.get("martin", f"/DocumentReference/{id_}").status_code for id_ in (first, second)] == [404, 404]
        assert bring(world, "203").status_code == 200
        assert world.get("martin", f"/DocumentReference/{world.publish()}").status_code == 200

    def test_withdrawn_the_default_of_new_documents_says_nothing(self, world: World):
        world.agree("camille", "martin")
        assert bring(world, "203", "restricted", "inactive").status_code == 200
        assert state(world).directives[1:] == ()
        assert world.get("martin", f"/DocumentReference/{world.publish()}").status_code == 200

    def test_a_level_that_cannot_be_kept(self, world: World):
        answer = bring(world, "203", "secret")
        assert said(answer)[0::2] == (422, ["Consent.policyRule"])
        assert standing(world, "203") == ("active", "normal")

    @pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "entered-in-error"])
    @pytest.mark.parametrize("template", LEVELS)
    def test_a_default_is_in_force_or_withdrawn(self, ward: World, template, status):
        assert said(bring(ward, template, status=status))[0::2] == (422, ["Consent.status"])
        assert emergency(ward) == 200


class TestOneOfEach:
    """Two Consents of a space never state the same default."""

    @pytest.mark.parametrize("status", ["active", "inactive"])
    @pytest.mark.parametrize(("template", "level"), [("202", "normal"), ("202", "restricted"), ("203", "restricted")])
    def test_a_second_one_is_refused_and_the_present_one_named(self, world: World, template, level, status):
        before = stands(world)
        answer = world.send("camille", "POST", "/Consent", a_default(world, template, level, status))
        text = f"the space has this default as Consent/{before[template][0]}; change that Consent"
        assert said(answer) == (409, text, ["Consent.identifier"])
        assert stands(world) == before
        assert state(world).directives == ()

    def test_nor_does_another_choice_become_one(self, world: World):
        id_ = choose(world, setting(world, "ask-first"))
        answer = world.send("camille", "PUT", f"/Consent/{id_}", a_default(world, "203") | {"id": id_})
        assert answer.status_code == 409

    def test_a_default_may_become_another_choice(self, ward: World):
        id_ = stands(ward)["202"][0]
        answer = ward.send("camille", "PUT", f"/Consent/{id_}", off(ward, BTG) | {"id": id_})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert (emergency(ward), emergency(ward, "martin-samu")) == (403, 200)
        assert set(stands(ward)) == {"203"}
        withdraw(ward, id_)
        assert choose(ward, a_default(ward, "202"))

    def test_in_one_transaction_neither(self, world: World, bare):
        twice = [a_default(bare, "202", patient="bare"), a_default(bare, "202", patient="bare")]
        entry = [{"resource": made, "request": {"method": "POST", "url": "Consent"}} for made in twice]
        answer = world.send("bare", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entry})
        assert answer.status_code == 409
        assert stands(bare, "bare", "bare") == {}

    def test_of_two_at_once_one_is_kept(self, bare: World):
        made = a_default(bare, "202", patient="bare")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: bare.send("bare", "POST", "/Consent", made).status_code, range(4)))
        assert sorted(answers) == [201, 409, 409, 409]


OTHERWISE = {
    "one mode off": ("202", lambda w: off(w, BTG)),
    "the other mode off": ("202", lambda w: off(w, ETREAT)),
    "everybody out": ("202", lambda w: off(w, "TREAT")),
    "everybody out for good": ("202", off),
    "hidden documents in emergencies": ("202", lambda w: setting(w, "hidden-in-emergency")),
    "all hidden": ("203", lambda w: setting(w, "hidden-by-default")),
}


class TestChoicesInAnotherForm:
    """A choice in another form takes the place of the default; when it ends, the default stands again."""

    @pytest.mark.parametrize("name", OTHERWISE)
    def test_the_default_is_set_aside_and_comes_back(self, world: World, name):
        template, made = OTHERWISE[name]
        (other,) = LEVELS.keys() - {template}

        id_ = choose(world, made(world))

        assert standing(world, template) == ("rejected", "normal")
        assert standing(world, other) == ("active", "normal")
        withdraw(world, id_)
        assert standing(world, template) == ("active", "normal")

    def test_until_the_last_of_them_has_ended(self, ward: World):
        one, two = choose(ward, off(ward, BTG)), choose(ward, off(ward, ETREAT))
        withdraw(ward, one)
        assert (emergency(ward), emergency(ward, "martin-samu")) == (200, 403)
        assert standing(ward, "202") == ("rejected", "normal")
        withdraw(ward, two)
        assert standing(ward, "202") == ("active", "normal")

    def test_it_cannot_be_stated_against_them(self, world: World):
        id_ = choose(world, off(world, BTG))
        text = f"Consent/{id_} contradicts this default; withdraw that choice, and the default applies again"
        for level in ("normal", "restricted"):
            assert said(bring(world, "202", level)) == (422, text, ["Consent.policyRule"])
        assert bring(world, "202", status="inactive").status_code == 200, "both off does not speak against one off"
        hidden = choose(world, setting(world, "hidden-by-default"))
        assert said(bring(world, "203"))[0] == 422
        assert bring(world, "203", "restricted").status_code == 200, "the same in another form"
        withdraw(world, hidden)
        assert standing(world, "203") == ("active", "restricted")

    def test_what_was_widened_comes_back_as_what_holds_anyway(self, ward: World):
        hidden = ward.publish(marks=("MASQUE_PS",))
        assert bring(ward, "202", "restricted").status_code == 200
        one, wide = choose(ward, off(ward, BTG)), choose(ward, setting(ward, "hidden-in-emergency"))
        assert standing(ward, "202") == ("rejected", "restricted")
        withdraw(ward, one)
        assert standing(ward, "202")[0] == "rejected", "at its plain level the other one speaks against it"
        withdraw(ward, wide)
        assert standing(ward, "202") == ("active", "normal")
        assert emergency(ward, "martin-samu") == 200
        assert ward.get("martin-samu", f"/DocumentReference/{hidden}").status_code == 404

    def test_set_aside_by_the_holder_and_traced(self, world: World):
        choose(world, off(world, BTG))
        id_ = stands(world)["202"][0]
        path = f"/AuditEvent?patient={world.ids['camille']}&entity=Consent/{id_}&subtype=update"
        (event,) = (entry["resource"] for entry in world.get("camille", path).get_json()["entry"])
        assert any(agent["who"].get("reference") == f"Patient/{world.ids['camille']}" for agent in event["agent"])
        versions = world.get("camille", f"/Consent/{id_}/_history").get_json()["entry"]
        assert [entry["resource"]["status"] for entry in versions] == ["rejected", "active"]

    @pytest.mark.parametrize("kind", ["agreement", "block", "ask-first", "documents"])
    def test_what_speaks_of_something_else_leaves_them_as_they_are(self, world: World, kind):
        before = stands(world)
        made = {
            "agreement": world.consent("martin"),
            "block": world.consent("martin", "deny"),
            "ask-first": setting(world, "ask-first"),
        }
        named = {"meaning": "instance", "reference": {"reference": f"DocumentReference/{world.publish()}"}}
        withdraw(world, choose(world, made.get(kind) or off(world, data=[named])))
        assert stands(world) == before
        for id_, *_ in before.values():
            assert world.get("camille", f"/Consent/{id_}").get_json()["meta"]["versionId"] == "1"

    def test_a_choice_that_has_ended_speaks_against_nothing(self, world: World, clock):
        choose(world, off(world, BTG, period={"end": "2026-03-05"}))
        assert said(bring(world, "202"))[0] == 422
        clock.advance(days=7)
        assert bring(world, "202").status_code == 200

    def one_transaction(self, ward, id_, status):
        wanted = a_default(ward, "202", status=status) | {"id": id_}
        entry = [
            {"resource": off(ward, BTG), "request": {"method": "POST", "url": "Consent"}},
            {"resource": wanted, "request": {"method": "PUT", "url": f"Consent/{id_}"}},
        ]
        return ward.send("camille", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entry})

    def test_against_each_other_in_one_transaction_neither_is_kept(self, ward: World):
        before = ward.get("camille", f"/Consent?patient={ward.ids['camille']}").get_json()["total"]
        status, text, where = said(self.one_transaction(ward, stands(ward)["202"][0], "active"))
        assert (status, where) == (422, ["Bundle.entry[1].resource.policyRule"])
        assert text == "another choice contradicts this default; withdraw that choice, and the default applies again"
        assert ward.get("camille", f"/Consent?patient={ward.ids['camille']}").get_json()["total"] == before
        assert standing(ward, "202") == ("active", "normal")

    def test_both_in_one_transaction(self, ward: World):
        id_ = stands(ward)["202"][0]
        answer = self.one_transaction(ward, id_, "inactive")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert standing(ward, "202") == ("inactive", "normal")
        versions = ward.get("camille", f"/Consent/{id_}/_history").get_json()["entry"]
        assert [entry["resource"]["meta"]["versionId"] for entry in versions] == ["2", "1"]


@pytest.fixture
def bare(ward: World, monkeypatch) -> World:
    """A space that was opened before there were defaults."""
    with monkeypatch.context() as patched:
        patched.setattr(default_consents, "file_first", lambda *_: ())
        ward.patient("bare", "184039999900321")
    assert lifecycle.default_consents.file_first
    return ward


class TestSpacesWithoutThem:
    """A space that has none goes on as before: what is not stated holds all the same."""

    def test_the_same_holds(self, bare: World):
        assert stands(bare, "bare", "bare") == {}
        assert emergency(bare, patient="bare") == 200
        document = bare.publish(patient="bare")
        assert bare.get("nour-btg", f"/DocumentReference/{document}").status_code == 200

    def test_choices_are_made_as_before(self, bare: World):
        patient = {"reference": f"Patient/{bare.ids['bare']}"}
        made = off(bare, BTG) | {"patient": patient, "performer": [patient]}
        assert bare.send("bare", "POST", "/Consent", made).status_code == 201
        assert emergency(bare, patient="bare") == 403
        assert stands(bare, "bare", "bare") == {}

    def test_they_can_be_stated_then(self, bare: World):
        made = a_default(bare, "202", status="inactive", patient="bare")
        assert bare.send("bare", "POST", "/Consent", made).status_code == 201
        assert emergency(bare, patient="bare") == 403
        assert bring(bare, "202", who="bare", patient="bare").status_code == 200
        assert emergency(bare, patient="bare") == 200
