"""The topics (ITI-114), what each tells, the search of one's own subscriptions (ITI-113), `$status` and `$events`."""

from datetime import timedelta

import pytest

from fhir_server.domain.subscriptions.topics import TOPICS
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.subscriptions import OF_PATIENT, TOPIC, about, app_of, status, subscribe, subscription, work
from tests.http.test_subscriptions import focus, publish_later

URL = "http://localhost:8080/fhir"


class TestTopics:
    @holds("DSUBM-114-1")
    def test_every_topic_is_found_without_a_token(self, world):
        answer = world.web.get("/fhir/Basic?code=http://hl7.org/fhir/fhir-types|SubscriptionTopic&status=active")
        found = [entry["resource"] for entry in answer.get_json()["entry"]]
        urls = {one["valueUri"] for basic in found for one in basic["extension"] if one["url"].endswith("Topic.url")}
        assert urls == set(TOPICS)

    @pytest.mark.parametrize(
        ("query", "number"),
        [
            (f"url={OF_PATIENT}", 1),
            (f"derived-or-self={OF_PATIENT}", 1),
            ("resource=http://hl7.org/fhir/StructureDefinition/List", 3),
            ("_id=notices", 1),
            ("status=retired", 0),
        ],
    )
    def test_a_topic_is_found_by_what_it_says(self, world, query, number):
        answer = world.web.get(f"/fhir/Basic?code=SubscriptionTopic&{query}")
        assert answer.get_json()["total"] == number

    def test_the_statement_names_the_topics(self, world):
        resources = world.web.get("/fhir/metadata").get_json()["rest"][0]["resource"]
        (row,) = [one for one in resources if one["type"] == "Subscription"]
        assert [one["valueCanonical"] for one in row["extension"]] == list(TOPICS)

    @BOTH
    def test_a_submission_set_is_told(self, notified, endpoint):
        wanted = f"List?patient=Patient/{notified.ids['camille']}"
        subscribe(notified, "chu-ehr", subscription(endpoint, f"{TOPIC}SubmissionSet-PatientDependent", wanted))
        notified.publish()
        work(notified)
        [told] = endpoint.told()
        [found] = notified.found("chu-ehr", f"/List?patient={notified.ids['camille']}&code=submissionset")
        assert told["focus"]["reference"] == f"{URL}/List/{found}"

    def test_a_submission_set_is_no_folder(self, notified, endpoint):
        wanted = f"List?patient=Patient/{notified.ids['camille']}"
        subscribe(notified, "chu-ehr", subscription(endpoint, f"{TOPIC}Basic-Folder-Subscription", wanted))
        notified.publish()
        work(notified)
        assert endpoint.told() == []

    @BOTH
    def test_a_notice_is_told_to_the_patients_app(self, notified, endpoint):
        app_of(notified, endpoint, "camille")
        wanted = f"Communication?patient=Patient/{notified.ids['camille']}"
        subscribe(notified, "camille-app", subscription(endpoint, "urn:habilis:topic:notices", wanted))
        notified.publish()
        notified.agree("camille", "martin")
        notified.get("martin", f"/DocumentReference?patient={notified.ids['camille']}")
        work(notified)
        notices = notified.found("camille", f"/Communication?patient={notified.ids['camille']}")
        told = [one["focus"]["reference"].rpartition("/")[2] for one in endpoint.told()]
        assert told
        assert set(told) <= set(notices)

    @BOTH
    def test_a_document_that_is_replaced_is_told_where_the_topic_says_so(self, notified, endpoint, clock):
        changes = subscription(endpoint, "urn:habilis:topic:document-changes", about(notified))
        subscribe(notified, "chu-ehr", changes)
        before = publish_later(notified, clock)
        work(notified)
        clock.advance(seconds=1)
        after = notified.publish(replaces=before)
        work(notified)
        told = [one["focus"]["reference"] for one in endpoint.told()]
        assert told[0] == focus(before)
        assert sorted(told[1:]) == sorted([focus(before), focus(after)])

    def test_a_patient_is_named_by_an_identifier_too(self, notified, endpoint):
        number = "DocumentReference?patient.identifier=urn:oid:1.2.250.1.213.1.4.10|284039999900148"
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, number))
        document = notified.publish()
        work(notified)
        assert [one["focus"]["reference"] for one in endpoint.told()] == [focus(document)]


class TestOnesOwn:
    @holds("DSUBM-113-1")
    @BOTH
    def test_subscriptions_are_found_by_what_they_say(self, notified, endpoint):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        for query in (
            "status=active",
            f"url={endpoint.url}fhir",
            f"topic={OF_PATIENT}",
            "filter-criteria=DocumentReference",
            "type=rest-hook",
            f"_id={made}",
            "status=active,error&type=rest-hook",
        ):
            assert notified.found("chu-ehr", f"/Subscription?{query}") == [made], query
        assert notified.found("chu-ehr", "/Subscription?status=off") == []
        assert notified.found("other-ehr", "/Subscription") == []

    @holds("DSUBM-113-2")
    @BOTH
    def test_the_state_counts_what_was_told(self, notified, endpoint):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        notified.publish()
        work(notified)
        one = notified.get("chu-ehr", f"/Subscription/{made}/$status").get_json()
        every = notified.get("chu-ehr", "/Subscription/$status?status=active").get_json()
        assert (one["type"], one["total"]) == (every["type"], every["total"]) == ("searchset", 1)
        told = status(one)
        assert (told["type"], told["status"], told["events-since-subscription-start"]) == (
            "query-status",
            "active",
            "1",
        )
        assert notified.get("other-ehr", f"/Subscription/{made}/$status").status_code == 404
        assert notified.get("other-ehr", "/Subscription/$status").get_json()["total"] == 0

    @holds("DSUBM-113-3")
    @BOTH
    def test_events_that_were_told_are_told_again_as_far_as_they_are_seen_now(self, notified, endpoint, clock):
        notified.agree("camille", "martin")
        app_of(notified, endpoint, "martin")
        notified.get("martin", f"/DocumentReference?patient={notified.ids['camille']}")
        made = subscribe(notified, "martin-app", subscription(endpoint, OF_PATIENT, about(notified)))
        documents = [publish_later(notified, clock) for _ in range(3)]
        work(notified)
        notified.hide(documents[1])
        bundle = notified.get("martin-app", f"/Subscription/{made}/$events").get_json()
        assert (bundle["type"], status(bundle)["type"]) == ("history", "query-event")
        assert [entry["fullUrl"] for entry in bundle["entry"][1:]] == [focus(documents[0]), focus(documents[2])]
        few = notified.get("martin-app", f"/Subscription/{made}/$events?eventsSinceNumber=3&content=empty").get_json()
        assert len(few["entry"]) == 1
        assert status(few)["event-number"] == "3"
        assert notified.get("chu-ehr", f"/Subscription/{made}/$events").status_code == 404
        assert notified.get("martin-app", f"/Subscription/{made}/$events?eventsSinceNumber=x").status_code == 400


class TestTime:
    @BOTH
    def test_a_heartbeat_comes_when_nothing_else_did(self, notified, endpoint, clock):
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified), heartbeat=60))
        clock.advance(seconds=40)
        notified.publish()
        work(notified)
        clock.advance(seconds=40)
        work(notified)
        assert endpoint.told("heartbeat") == []
        clock.advance(seconds=40)
        work(notified)
        [beat] = endpoint.told("heartbeat")
        assert (beat["status"], beat["events-since-subscription-start"]) == ("active", "1")
        clock.advance(seconds=61)
        work(notified)
        assert len(endpoint.told("heartbeat")) == 2

    def test_a_withheld_event_delays_no_heartbeat(self, notified, endpoint, clock):
        subscribe(notified, "other-ehr", subscription(endpoint, OF_PATIENT, about(notified), heartbeat=60))
        clock.advance(seconds=40)
        notified.publish()
        work(notified)
        clock.advance(seconds=21)
        work(notified)
        assert len(endpoint.told("heartbeat")) == 1

    @BOTH
    def test_a_subscription_is_off_when_its_end_has_passed(self, notified, endpoint, clock):
        end = (clock.now() + timedelta(hours=1)).isoformat(timespec="seconds")
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)) | {"end": end})
        clock.advance(hours=2)
        notified.publish()
        work(notified)
        assert endpoint.told() == []
        there = notified.get("chu-ehr", f"/Subscription/{made}").get_json()
        assert there["status"] == "off"
        anew = notified.send("chu-ehr", "PUT", f"/Subscription/{made}", there | {"status": "requested"})
        assert (anew.status_code, anew.get_json()["issue"][0]["expression"]) == (422, ["Subscription.end"])
