"""Statements of the law about the server rather than about a decision, each by its number in docs/rules-index.csv."""

import re

import orjson
import pytest

from consent_rules.vocabulary import SpaceStatus
from fhir_server.ports.store import StoreUnavailable
from tests.conftest import START
from tests.factories import all_of
from tests.holds import holds
from tests.http.spaces import announce, call, parent, status
from tests.http.test_patch_documents import ARCHIVED
from tests.world import INS, JSON_PATCH, LABORATORY, World


def read(world: World, who, document):
    return world.get(who, f"/DocumentReference/{document}").get_json()


def patch(world: World, who, document, *operations):
    return world.send(who, "PATCH", f"/DocumentReference/{document}", list(operations), JSON_PATCH)


def traces(world: World, who="camille", more="", of="camille"):
    answer = world.get(who, f"/AuditEvent?patient={world.ids[of]}&_count=100{more}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


class TestAnnouncing:
    """A2: the person is told before; the notice names the term and the right to object, and the term counts from it."""

    @holds("A2")
    def test_the_notice_is_stored_with_the_announcement_and_says_what_follows(self, world: World):
        announce(world)
        (entry,) = world.get("new", f"/Communication?patient={world.ids['new']}").get_json()["entry"]
        notice = entry["resource"]
        assert notice["category"][0]["coding"][0]["code"] == "space-announced"
        assert notice["recipient"] == [{"reference": f"Patient/{world.ids['new']}"}]
        assert notice["sent"] == "2026-03-02T09:00:00.000Z"
        assert {"six semaines", "opposition"} <= set(re.findall("six semaines|opposition", notice["text"]["div"]))

    @holds("A3", "R.1111-28")
    def test_six_weeks_count_from_it_and_not_a_second_less(self, world: World, clock):
        clock.advance(days=3)
        announce(world)
        clock.advance(weeks=6, seconds=-1)
        assert status(world, "new", "new") == SpaceStatus.ANNOUNCED
        clock.advance(seconds=1)
        assert status(world, "new", "new") == SpaceStatus.ACTIVE

    @holds("A2", "R.1111-28")
    def test_without_the_notice_nothing_is_announced(self, world: World, monkeypatch):
        store, ins = world.runtime.ports.store, "184039999900321"
        commit = store.commit

        def failing(change):
            if any(write.after.type == "Communication" for write in change.writes):
                raise StoreUnavailable("no room")
            commit(change)

        monkeypatch.setattr(store, "commit", failing)
        assert announce(world, ins=ins).status_code == 503
        monkeypatch.undo()
        assert world.found("keeper", f"/Patient?identifier={INS}|{ins}") == []


class TestIdentifiers:
    """E15: a change of visibility is a new version for whoever knows marks; every identifier of the document stays."""

    NAMES = ("id", "masterIdentifier", "identifier", "date", "content", "type")

    def kept(self, world: World, who, document):
        found = read(world, who, document)
        return {name: found.get(name) for name in self.NAMES}

    @holds("E15")
    def test_through_hiding_and_showing(self, world: World):
        document = world.publish()
        world.agree("camille", "martin")
        before = {who: self.kept(world, who, document) for who in ("camille", "chu-ehr", "martin")}
        assert before["camille"]["masterIdentifier"]["value"].startswith("urn:oid:")
        versions = {read(world, "camille", document)["meta"]["versionId"]}

        assert world.hide(document).status_code == 200
        assert {who: self.kept(world, who, document) for who in ("camille", "chu-ehr")} == {
            who: before[who] for who in ("camille", "chu-ehr")
        }
        versions.add(read(world, "camille", document)["meta"]["versionId"])
        assert patch(world, "camille", document, {"op": "remove", "path": "/securityLabel/1"}).status_code == 200
        versions.add(read(world, "camille", document)["meta"]["versionId"])

        assert {who: self.kept(world, who, document) for who in before} == before
        assert len(versions) == 3
        value = before["camille"]["masterIdentifier"]["value"]
        query = f"/DocumentReference?patient={world.ids['camille']}&identifier=urn:ietf:rfc:3986|{value}"
        assert [world.found(who, query) for who in before] == [[document]] * 3

    @holds("E15")
    def test_through_an_announcement(self, world: World):
        world.agree("camille", "nour")
        document = world.publish("nour", marks=("INVISIBLE_PATIENT",))
        before = self.kept(world, "nour", document)
        assert patch(world, "nour", document, {"op": "remove", "path": "/securityLabel/1"}).status_code == 200
        assert self.kept(world, "nour", document) == self.kept(world, "camille", document) == before


class TestJournal:
    """H7: who, when and what in plain words; sorted and filtered."""

    @pytest.fixture
    def lived(self, world: World, clock):
        """Three days: the hospital files, the team reads, somebody is refused."""
        world.agree("camille", "chu")
        document = world.publish()
        clock.advance(days=1)
        read(world, "nour", document)
        clock.advance(days=1)
        world.get("zoe", f"/DocumentReference?patient={world.ids['camille']}")
        return world

    @holds("H7")
    def test_each_trace_says_who_when_and_what_in_a_sentence(self, lived: World):
        sentences = {re.sub("<[^>]+>", "", event["text"]["div"]) for event in traces(lived)}
        told = next(sentence for sentence in sentences if "nour" in sentence)
        assert "3 mars 2026" in told or "03/03/2026" in told, told
        assert "document" in told, told
        assert all(len(sentence) > 20 for sentence in sentences)

    @holds("H7")
    def test_sorted_both_ways(self, lived: World):
        newest = [event["recorded"] for event in traces(lived, more="&_sort=-date")]
        oldest = [event["recorded"] for event in traces(lived, more="&_sort=date")]
        assert newest[1:] == sorted(newest, reverse=True)[1:]
        assert newest == sorted(newest, reverse=True)
        assert oldest == sorted(oldest)
        assert len({day[:10] for day in oldest}) == 3

    @holds("H7")
    def test_filtered_by_day_actor_and_outcome(self, lived: World):
        second = traces(lived, more="&date=2026-03-03")
        assert {event["recorded"][:10] for event in second} == {"2026-03-03"}
        by_nour = traces(lived, more=f"&agent=Practitioner/{lived.ids['nour']}")
        assert len(by_nour) == 1
        assert "nour" in by_nour[0]["text"]["div"]
        refused = traces(lived, more="&outcome=4,8,12&date=ge2026-03-04")
        assert [event["outcome"] != "0" for event in refused] == [True]
        assert "zoe" in refused[0]["text"]["div"]


class TestTheHoldersOwnActs:
    """H9: what the holder does leaves traces, a change of a setting too."""

    def own(self, world: World, more=""):
        found = traces(world, more=f"&agent=Patient/{world.ids['camille']}{more}")
        return {(event["action"], ref.split("/")[0]) for event in found for ref in references(event)}

    @holds("H9")
    def test_reading_hiding_choosing_and_closing(self, world: World):
        document = world.publish()
        read(world, "camille", document)
        world.hide(document)
        made = world.agree("camille", "chu").get_json()
        answer = world.send("camille", "PUT", f"/Consent/{made['id']}", made | {"status": "inactive"})
        assert answer.status_code == 200
        done = self.own(world)
        assert {
            ("R", "DocumentReference"),
            ("U", "DocumentReference"),
            ("C", "Consent"),
            ("U", "Consent"),
        } <= done
        before = len(traces(world, more=f"&agent=Patient/{world.ids['camille']}"))
        for operation in ("close-space", "open-space"):  # while it is closed, nobody reads its traces
            assert call(world, "camille", operation).status_code == 200
        after = traces(world, more=f"&agent=Patient/{world.ids['camille']}")
        assert len(after) > before
        assert "close-space" in {code["code"] for event in after for code in event["subtype"]}

    @holds("H9")
    def test_a_setting_is_traced_with_its_choice(self, world: World):
        rule = {"coding": [{"system": "urn:habilis:directive", "code": "hidden-by-default"}]}
        chosen = world.consent("chu") | {"policyRule": rule, "provision": {"type": "permit"}}
        made = world.send("camille", "POST", "/Consent", chosen).get_json()["id"]
        found = traces(world, more=f"&agent=Patient/{world.ids['camille']}")
        assert [event["action"] for event in found if f"Consent/{made}" in references(event)] == ["C"]


def references(event):
    return [entity.get("what", {}).get("reference", "") for entity in event["entity"] if "what" in entity]


class TestDeletion:
    """J2: by the author alone, and only logically: what was stored stays in the store."""

    @holds("J2")
    def test_leaves_what_was_stored_in_the_store(self, world: World):
        document = world.publish(content=b"the report")
        url = read(world, "chu-ehr", document)["content"][0]["attachment"]["url"]
        everything = all_of(world.ids["camille"])
        with world.runtime.ports.store.snapshot() as snapshot:
            blob = orjson.loads(snapshot.read("Binary", url.rpartition("/")[2], everything).body)["_blob"]

        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{document}").status_code == 204

        assert world.get("chu-ehr", f"/DocumentReference/{document}").status_code == 410
        with world.runtime.ports.store.snapshot() as snapshot:
            newest, oldest = snapshot.history("DocumentReference", document, everything)
        assert (newest.deleted, newest.version, oldest.deleted, oldest.version) == (True, 2, False, 1)
        assert orjson.loads(oldest.body)["id"] == document
        assert world.runtime.ports.blobs.get(world.ids["camille"], blob) == b"the report"

    @holds("J2")
    @pytest.mark.parametrize("who", ["camille", "nour", "martin", "other-ehr"])
    def test_is_refused_to_whoever_is_not_the_author(self, world: World, who):
        """Who sees the document is refused; to who does not see it, it is unknown."""
        document = world.publish("martin" if who == "nour" else "chu-ehr")
        world.agree("camille", "martin")
        world.agree("camille", "chu")
        answer = world.send(who, "DELETE", f"/DocumentReference/{document}")
        assert answer.status_code == (204 if who == "other-ehr" else 403)
        assert read(world, "camille", document)["status"] == "current"


class TestArchiving:
    """J4: archiving and taking it back change the description alone."""

    @holds("J4")
    def test_content_identifiers_and_marks_stay(self, world: World):
        document = world.publish()
        world.hide(document)
        before = read(world, "camille", document)
        flag = [{"url": ARCHIVED, "valueBoolean": True}]

        archived = patch(world, "camille", document, {"op": "add", "path": "/extension", "value": flag}).get_json()
        back = patch(world, "camille", document, {"op": "remove", "path": "/extension"})

        assert {name for name in archived if archived[name] != before.get(name)} == {"meta", "extension"}
        assert back.status_code == 200, back.get_data(as_text=True)
        assert {name for name in back.get_json() if back.get_json()[name] != before.get(name)} == {"meta"}
        content = before["content"][0]["attachment"]["url"].partition("/fhir")[2]
        assert world.get("camille", content, Accept="text/plain").status_code == 200


class TestDuplicates:
    """J8: the same document of the same depositor is one; what others filed, hidden or not, says nothing."""

    @holds("J8")
    @pytest.mark.parametrize("hidden", [False, True])
    def test_is_refused_to_its_depositor_even_while_hidden(self, world: World, hidden):
        filing = world.filing()
        document = world.publish_all("chu-ehr", filing)[0]
        if hidden:
            world.hide(document)
        answer = world.send("chu-ehr", "POST", "", world.bundle(filing))
        assert answer.status_code == 409
        issue = answer.get_json()["issue"][0]
        assert issue["details"]["coding"][0]["code"] == "XDSDuplicateUniqueIdInRegistry"
        assert issue["expression"] == ["Bundle.entry[1].resource.masterIdentifier"]
        assert world.found("chu-ehr", f"/DocumentReference?patient={world.ids['camille']}") == [document]

    @holds("J8", "AC11")
    @pytest.mark.parametrize("hidden", [False, True])
    def test_tells_another_depositor_nothing(self, world: World, hidden):
        filing = world.filing()
        document = world.publish_all("chu-ehr", filing)[0]
        if hidden:
            world.hide(document)
        answer = world.send("other-ehr", "POST", "", world.bundle(world.refiled(filing, "other-ehr")))
        assert answer.status_code == 200
        assert document not in answer.get_data(as_text=True)


class TestContacts:
    """C17: who is written down as somebody's contact or usual physician may do nothing by that."""

    @holds("C17")
    def test_a_name_in_the_identity_opens_nothing(self, world: World):
        document = world.publish()
        patient = world.get("keeper", f"/Patient/{world.ids['camille']}").get_json()
        named = {"reference": f"Practitioner/{world.ids['nour']}"}
        contact = {"name": {"family": "Nour"}, "organization": {"reference": f"Organization/{world.ids['chu']}"}}
        changed = patient | {"generalPractitioner": [named], "contact": [contact]}
        answer = world.send("keeper", "PUT", f"/Patient/{world.ids['camille']}", changed)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        stored = world.get("keeper", f"/Patient/{world.ids['camille']}").get_json()
        assert stored["generalPractitioner"] == [named]

        assert world.get("nour", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403
        assert world.get("nour", f"/DocumentReference/{document}").status_code == 404


class TestAMinorsRefusal:
    """B7: the professional writes the minor's refusal down with the document; nothing is disclosed while it stands."""

    @holds("B7", "AC30")
    def test_nothing_of_it_reaches_a_representative_and_none_lifts_it(self, world: World, clock):
        world.patient("lea", "284039999900255", "2010-06-01")
        parent(world, "marc", "lea")
        open_, secret = (
            world.publish(patient="lea"),
            world.publish("nour", patient="lea", type_=LABORATORY, marks=("INVISIBLE_REPRESENTANTS_LEGAUX",)),
        )
        for _ in range(2):  # on the day, and a year later: it does not lapse
            assert world.found("marc", f"/DocumentReference?patient={world.ids['lea']}") == [open_]
            assert world.get("marc", f"/DocumentReference/{secret}").status_code == 404
            lifting = {"op": "replace", "path": "/securityLabel", "value": []}
            assert patch(world, "marc", secret, lifting).status_code == 404
            seen = [ref for event in traces(world, "marc", of="lea") for ref in references(event)]
            assert f"DocumentReference/{secret}" not in seen
            assert f"DocumentReference/{open_}" in seen
            clock.advance(days=365)
        assert clock.at > START
        written = traces(world, "lea", f"&agent=Practitioner/{world.ids['nour']}", "lea")
        assert [f"DocumentReference/{secret}" in references(event) for event in written] == [True]
