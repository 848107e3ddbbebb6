"""Subscriptions (ITI-110, ITI-112): who is notified of what, over HTTP on both stores, to a real endpoint."""

from base64 import b64decode, b64encode
from dataclasses import replace
from hmac import digest

import pytest

from fhir_server.application.identity import clients
from fhir_server.r4.parsing import parse
from fhir_server.settings import limits
from tests.holds import holds
from tests.http.spaces import UNKNOWN
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.subscriptions import (
    OF_MANY,
    OF_PATIENT,
    TOPIC,
    about,
    app_of,
    revoke,
    status,
    subscribe,
    subscription,
    work,
)
from tests.http.test_lockdown import go_on, stop


def focus(document: str) -> str:
    return f"http://localhost:8080/fhir/DocumentReference/{document}"


class TestTheWay:
    @holds("DSUBM-112-1")
    @BOTH
    def test_software_learns_of_a_document_by_its_id(self, notified, endpoint):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        [handshake] = endpoint.bundles
        assert (handshake["type"], len(handshake["entry"])) == ("history", 1)
        assert (status(handshake)["type"], status(handshake)["status"]) == ("handshake", "requested")
        document = notified.publish()
        work(notified)
        [told] = endpoint.told()
        assert told["focus"]["reference"] == focus(document)
        assert (told["event-number"], told["events-since-subscription-start"]) == ("1", "1")
        assert told["subscription"]["reference"].endswith(f"/Subscription/{made}")
        assert notified.get("chu-ehr", f"/Subscription/{made}").get_json()["status"] == "active"

    @BOTH
    def test_the_journal_says_who_was_notified_of_what_before_the_call_leaves(self, notified, endpoint):
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        document = notified.publish()
        endpoint.status = 503
        work(notified)
        assert len(endpoint.told()) == 1
        [event] = notifications(notified)
        assert f"DocumentReference/{document}" in {one["what"]["reference"] for one in event["entity"] if "what" in one}
        assert "notification" in event["text"]["div"]

    def test_a_call_is_signed_with_the_secret_of_the_client(self, notified, endpoint):
        subscribe(notified, "other-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        [(headers, body)] = endpoint.calls
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = b64decode(endpoint.secret.removeprefix("whsec_"))
        assert headers["webhook-signature"] == f"v1,{b64encode(digest(key, signed, 'sha256')).decode()}"
        assert headers["content-type"] == "application/fhir+json"

    @pytest.mark.parametrize("media", ["application/fhir+json", "application/fhir+xml"])
    def test_a_notification_is_a_valid_bundle_in_the_format_that_was_asked(self, notified, endpoint, media):
        body = subscription(endpoint, OF_PATIENT, about(notified))
        body["channel"]["payload"] = media
        answer = notified.send("chu-ehr", "POST", "/Subscription", body)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        work(notified)
        notified.publish()
        work(notified)
        assert [headers["content-type"] for headers, _ in endpoint.calls] == [media] * 2
        for _, sent in endpoint.calls:
            assert parse(sent, media, "Bundle")["type"] == "history"

    @BOTH
    def test_an_empty_notification_names_nothing(self, notified, endpoint):
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified), content="empty"))
        document = notified.publish()
        work(notified)
        [told] = endpoint.told()
        assert not {"focus", "topic"} & told.keys()
        assert document.encode() not in endpoint.calls[-1][1]
        assert len(endpoint.bundles[-1]["entry"]) == 1

    @BOTH
    def test_software_of_an_establishment_learns_of_all_its_patients(self, notified, endpoint, clock):
        notified.patient("ines", "212039999900194")
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_MANY))
        documents = [publish_later(notified, clock, name) for name in ("camille", "ines", "camille")]
        work(notified)
        assert [told["focus"]["reference"] for told in endpoint.told()] == [focus(one) for one in documents]
        assert [told["event-number"] for told in endpoint.told()] == ["1", "2", "3"]

    def test_filters_narrow_a_subscription(self, notified, endpoint):
        wanted = about(notified, more="&type=http://loinc.org|11502-2")
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, wanted))
        notified.publish()
        work(notified)
        assert endpoint.told() == []

    @BOTH
    def test_a_persons_app_is_notified_until_its_grant_ends(self, notified, endpoint):
        grant = app_of(notified, endpoint, "camille")
        made = subscribe(notified, "camille-app", subscription(endpoint, OF_PATIENT, about(notified)))
        document = notified.publish()
        work(notified)
        assert [told["focus"]["reference"] for told in endpoint.told()] == [focus(document)]
        revoke(notified, grant)
        app_of(notified, endpoint, "camille", enrolled=True)
        notified.publish()
        work(notified)
        assert len(endpoint.told()) == 1
        found = notified.get("camille-app", f"/Subscription/{made}").get_json()
        assert found["status"] == "error"
        assert "ended" in found["error"]


class TestWhatIsWithheld:
    @BOTH
    def test_what_somebody_else_filed_is_not_told_to_software(self, notified, endpoint):
        subscribe(notified, "other-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        notified.publish()
        work(notified)
        assert endpoint.told() == []
        assert notifications(notified) == []

    @BOTH
    def test_a_document_that_is_hidden_before_it_is_told_has_no_number(self, notified, endpoint):
        notified.agree("camille", "martin")
        app_of(notified, endpoint, "martin")
        notified.get("martin", f"/DocumentReference?patient={notified.ids['camille']}")
        subscribe(notified, "martin-app", subscription(endpoint, OF_PATIENT, about(notified)))
        hidden = notified.publish()
        assert notified.hide(hidden).status_code == 200
        shown = notified.publish()
        work(notified)
        [told] = endpoint.told()
        assert (told["focus"]["reference"], told["event-number"]) == (focus(shown), "1")
        assert hidden.encode() not in b"".join(body for _, body in endpoint.calls)

    @BOTH
    def test_a_number_whose_call_failed_goes_to_the_next_event_when_the_first_is_hidden(
        self, notified, endpoint, clock
    ):
        notified.agree("camille", "martin")
        app_of(notified, endpoint, "martin")
        notified.get("martin", f"/DocumentReference?patient={notified.ids['camille']}")
        subscribe(notified, "martin-app", subscription(endpoint, OF_PATIENT, about(notified)))
        endpoint.status = 503
        hidden = notified.publish()
        work(notified)
        notified.hide(hidden)
        endpoint.status = 200
        shown = notified.publish()
        clock.advance(hours=2)
        work(notified)
        assert [(one["focus"]["reference"], one["event-number"]) for one in endpoint.told()] == [
            (focus(hidden), "1"),
            (focus(shown), "1"),
        ]
        names = [headers["webhook-id"] for headers, _ in endpoint.calls]
        assert len(set(names)) == len(names)

    def test_a_professional_is_not_notified_of_a_space_that_they_have_never_read(self, notified, endpoint):
        notified.agree("camille", "martin")
        app_of(notified, endpoint, "martin")
        subscribe(notified, "martin-app", subscription(endpoint, OF_PATIENT, about(notified)))
        notified.publish()
        work(notified)
        assert endpoint.told() == []

    @BOTH
    def test_in_a_lockdown_events_wait(self, notified, endpoint, clock):
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        notified.publish()
        stop(notified)
        work(notified)
        assert endpoint.told() == []
        go_on(notified)
        clock.advance(minutes=2)
        work(notified)
        assert len(endpoint.told()) == 1

    def test_software_that_is_disabled_is_told_nothing(self, notified, endpoint):
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        notified.publish()
        client = clients.find(notified.runtime, "chu-ehr")
        clients.change(notified.runtime, replace(client, disabled=True))
        work(notified)
        assert endpoint.told() == []


class TestTheRequest:
    def test_a_patient_whom_nobody_knows_is_answered_as_one_who_is_known(self, notified, endpoint):
        known = notified.send("other-ehr", "POST", "/Subscription", subscription(endpoint, OF_PATIENT, about(notified)))
        unknown = f"DocumentReference?patient=Patient/{UNKNOWN}"
        answer = notified.send("other-ehr", "POST", "/Subscription", subscription(endpoint, OF_PATIENT, unknown))
        assert known.status_code == answer.status_code == 201
        work(notified)
        assert [told["status"] for told in endpoint.told("handshake")] == ["requested"] * 2

    @BOTH
    def test_the_subscription_of_somebody_else_is_unknown(self, notified, endpoint):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        body = notified.get("chu-ehr", f"/Subscription/{made}").get_json() | {"status": "off"}
        unknown = notified.get("other-ehr", f"/Subscription/{UNKNOWN}")
        answers = (
            notified.get("other-ehr", f"/Subscription/{made}"),
            notified.send("other-ehr", "PUT", f"/Subscription/{made}", body),
        )
        assert {(answer.status_code, answer.data) for answer in answers} == {(404, unknown.data)}
        assert notified.send("other-ehr", "DELETE", f"/Subscription/{made}").status_code == 204
        assert notified.get("other-ehr", "/Subscription").get_json()["total"] == 0
        assert notified.get("chu-ehr", f"/Subscription/{made}").status_code == 200

    @holds("DSUBM-110-1")
    @BOTH
    def test_a_subscription_is_switched_off_begun_anew_and_deleted(self, notified, endpoint):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        body = notified.get("chu-ehr", f"/Subscription/{made}").get_json()
        assert put(notified, body | {"status": "off"}).get_json()["status"] == "off"
        notified.publish()
        work(notified)
        assert endpoint.told() == []
        assert put(notified, body | {"status": "requested"}).get_json()["status"] == "requested"
        work(notified)
        assert len(endpoint.told("handshake")) == 2
        notified.publish()
        work(notified)
        assert len(endpoint.told()) == 1
        assert notified.send("chu-ehr", "DELETE", f"/Subscription/{made}").status_code == 204
        assert notified.get("chu-ehr", f"/Subscription/{made}").status_code == 404
        notified.publish()
        work(notified)
        assert len(endpoint.told()) == 1

    def test_nothing_else_of_a_subscription_changes(self, notified, endpoint):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        body = notified.get("chu-ehr", f"/Subscription/{made}").get_json()
        for changed in ({"reason": "another"}, {"status": "requested"}, {"status": "active"}):
            assert put(notified, body | changed).status_code == 422

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"status": "active"}, "Subscription.status"),
            ({"criteria": "DocumentReference?type=1"}, "Subscription.criteria"),
            ({"criteria": f"{TOPIC}DocReference-PatientDependent-AllEvents"}, "Subscription.criteria"),
            ({"_criteria": None}, "Subscription.criteria.extension"),
            ({"end": "2020-01-01T00:00:00Z"}, "Subscription.end"),
            ({"channel": {"type": "email"}}, "Subscription.channel.type"),
            ({"channel": {"header": ["Authorization: x"]}}, "Subscription.channel.header"),
            ({"channel": {"endpoint": "https://elsewhere.example/fhir"}}, "Subscription.channel.endpoint"),
            ({"channel": {"endpoint": "mailto:camille"}}, "Subscription.channel.endpoint"),
            ({"channel": {"payload": "text/plain"}}, "Subscription.channel.payload"),
        ],
    )
    @holds("DSUBM-110-2")
    def test_what_is_not_offered_is_refused_by_name(self, notified, endpoint, change, place):
        body = subscription(endpoint, OF_PATIENT, about(notified))
        body |= {name: body["channel"] | value if name == "channel" else value for name, value in change.items()}
        body = {name: value for name, value in body.items() if value}
        answer = notified.send("chu-ehr", "POST", "/Subscription", body)
        assert answer.status_code == 422, answer.get_data(as_text=True)
        assert place in {one for issue in answer.get_json()["issue"] for one in issue.get("expression", ())}

    def test_whole_resources_are_refused_by_name(self, notified, endpoint):
        body = subscription(endpoint, OF_PATIENT, about(notified), content="full-resource")
        answer = notified.send("chu-ehr", "POST", "/Subscription", body)
        assert answer.status_code == 422
        assert "full-resource" in answer.get_json()["issue"][0]["details"]["text"]

    def test_a_token_that_ends_with_its_session_is_no_ground(self, notified, endpoint):
        app_of(notified, endpoint, "camille", scopes="patient/*.cruds")
        body = subscription(endpoint, OF_PATIENT, about(notified))
        assert notified.send("camille-app", "POST", "/Subscription", body).status_code == 403

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    def test_an_entry_of_a_bundle_makes_no_subscription(self, notified, endpoint, method):
        url = "Subscription" if method == "POST" else f"Subscription/{UNKNOWN}"
        entry = {"request": {"method": method, "url": url}}
        if method in ("POST", "PUT"):
            entry["resource"] = subscription(endpoint, OF_PATIENT, about(notified)) | {"id": UNKNOWN}
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        answer = notified.send("chu-ehr", "POST", "", bundle)
        assert answer.status_code < 500
        assert notified.get("chu-ehr", "/Subscription").get_json()["total"] == 0

    def test_a_caller_has_few_subscriptions(self, notified, endpoint):
        before = limits.put_in_force(replace(limits.in_force(), subscriptions=1))
        try:
            body = subscription(endpoint, OF_PATIENT, about(notified))
            subscribe(notified, "chu-ehr", body)
            answer = notified.send("chu-ehr", "POST", "/Subscription", body)
        finally:
            limits.put_in_force(before)
        assert answer.status_code == 429
        assert answer.headers["Retry-After"]

    def test_a_server_that_calls_nobody_takes_no_subscription(self, world, endpoint):
        body = subscription(endpoint, OF_PATIENT, about(world))
        assert world.send("chu-ehr", "POST", "/Subscription", body).status_code == 422


class TestTheEndpoint:
    @holds("DSUBM-112-2")
    @BOTH
    def test_an_endpoint_that_refuses_the_handshake_puts_the_subscription_in_error(self, notified, endpoint):
        endpoint.status = 404
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        found = notified.get("chu-ehr", f"/Subscription/{made}").get_json()
        assert (found["status"], found["error"]) == ("error", "the endpoint did not take the handshake")
        endpoint.status = 200
        notified.publish()
        work(notified)
        assert endpoint.told() == []

    @BOTH
    def test_a_failed_call_is_repeated_and_nothing_overtakes_it(self, notified, endpoint, clock):
        subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        endpoint.status = 503
        documents = [publish_later(notified, clock) for _ in range(3)]
        work(notified)
        endpoint.status = 200
        clock.advance(seconds=5)
        documents.append(notified.publish())
        work(notified)
        assert len(endpoint.told()) == 1
        clock.advance(hours=1)
        documents.append(notified.publish())
        work(notified)
        told = endpoint.told()[1:]
        assert [one["focus"]["reference"] for one in told] == [focus(one) for one in documents]
        assert [one["event-number"] for one in told] == ["1", "2", "3", "4", "5"]

    def test_an_endpoint_that_fails_for_a_day_is_called_no_more(self, notified, endpoint, clock):
        made = subscribe(notified, "chu-ehr", subscription(endpoint, OF_PATIENT, about(notified)))
        endpoint.status = 503
        notified.publish()
        for _ in range(60):
            work(notified)
            clock.advance(hours=1)
        found = notified.get("chu-ehr", f"/Subscription/{made}").get_json()
        assert (found["status"], found["error"]) == ("error", "the endpoint has not answered for a day")
        calls = len(endpoint.calls)
        notified.publish()
        work(notified)
        assert len(endpoint.calls) == calls


def publish_later(world, clock, patient: str = "camille") -> str:
    """Publish a document a little later than the one before: MongoDB orders events by the clock."""
    clock.advance(milliseconds=1)
    return world.publish(patient=patient)


def put(world, body):
    return world.send("chu-ehr", "PUT", f"/Subscription/{body['id']}", body)


def notifications(world):
    """Return what the journal of Camille has of notifications."""
    found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()["entry"]
    return [entry["resource"] for entry in found if "a reçu une notification" in entry["resource"]["text"]["div"]]
