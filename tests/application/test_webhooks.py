"""Webhooks: which app is called about a notice, what a call says and proves, and when the server gives up."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hmac import digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from consent_rules.model import Requester
from consent_rules.vocabulary import DirectiveKind, Purpose, RequesterKind
from fhir_server import worker
from fhir_server.adapters import opening
from fhir_server.adapters.webhooks import GuardedPoster
from fhir_server.application.core import access_notices, audit_log
from fhir_server.application.identity import accounts, client_changes, clients
from fhir_server.application.identity.accounts import Account, RepresentedPatient, add_account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.grants import Grant, revoke_grant, store_grant
from fhir_server.application.notices import webhooks
from fhir_server.domain import record_codec
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Notice
from fhir_server.outbound import Reach
from fhir_server.ports.store import Change, SpaceWrite, Write
from fhir_server.ports.surroundings import WebhookUnreachable
from tests.conftest import FixedClock
from tests.factories import a_trace, runtime_on
from tests.rules.builders import NOW, TEEN, directive, space

HOLDER, PARENT = "Patient/camille", "RelatedPerson/marc-camille"
OPERATOR = Caller.of_operator("eve")
OFFLINE = "offline_access patient/Communication.rs"


@dataclass
class App:
    """An app that takes calls. status: its answer."""

    status: int = 204
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def app():
    taking = App()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taking.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(taking.status)
            self.send_header("Location", f"{taking.url}again")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taking.url = f"http://127.0.0.1:{server.server_address[1]}/"
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield taking
    server.shutdown()
    server.server_close()


@pytest.fixture
def clock():
    return FixedClock(NOW)


@pytest.fixture
def runtime(tmp_path, clock, app):
    """A server with a minor, her father, and an app for each that has an address."""
    opening.create_keys(tmp_path / "keys.json")
    opened = opening.open_sqlite(tmp_path / "data", tmp_path / "keys.json")
    found = runtime_on(replace(opened, clock=clock, webhooks=GuardedPoster(Reach.LOOPBACK)), "https://habilis.example")
    state = record_codec.dump(space(directive(DirectiveKind.GUARDIAN, PARENT), born=TEEN))
    opened.store.commit(Change((), spaces=(SpaceWrite("camille", 0, state),)))
    charge = RepresentedPatient("camille", PARENT, "Camille")
    add_account(found, Account("camille", RequesterKind.PATIENT, HOLDER, "Camille"), "")
    add_account(found, Account("marc", RequesterKind.PATIENT, "Patient/marc", "Marc", patients=(charge,)), "")
    for name in ("hers", "his"):
        clients.register(found, Client(name, name, ClientKind.PATIENT_APP, ("https://app.example/cb",), OFFLINE))
        put(found, name, app)
    yield found
    opened.store.close()


def put(runtime, client, app):
    return webhooks.register_address(runtime, OPERATOR, clients.find(runtime, client), f"{app.url}{client}")


def grant(runtime, client="hers", scopes=OFFLINE):
    own = Requester(RequesterKind.PATIENT, HOLDER, client="Device/hers"), Purpose.PATIENT_REQUEST
    parents = Requester(RequesterKind.RELATED, PARENT, client="Device/his"), Purpose.FAMILY_REQUEST
    login, (requester, purpose) = ("camille", own) if client == "hers" else ("marc", parents)
    given = Grant(
        id=runtime.ports.ids.new(), client_id=client, requester=requester, purpose=purpose, launch_patient="camille",
        scopes=scopes, audience="", granted_at=NOW, login=login,
        subject=accounts.find_account(runtime, login).subject,
    )  # fmt: skip
    store_grant(runtime, given)
    return given


def tell(runtime, *, confidential=False):
    notice = Notice(NoticeKind.FIRST_ACCESS, "camille", runtime.now(), (HOLDER, PARENT))
    kept = access_notices.stored(runtime, notice, confidential=confidential)
    audit_log.commit(runtime, Change((a_trace("camille"),), (Write(kept, (0, 0)),)))
    return kept.id


def work(runtime):
    working = worker.build(runtime)
    for _ in range(2):  # a notice leads to a call
        working.work_once()


def called(app):
    """Return the notices of the calls, by their headers."""
    return [headers["webhook-id"] for headers, _ in app.calls]


def test_an_app_is_called_with_the_id_of_the_notice_and_nothing_else(runtime, app):
    grant(runtime)
    notice = tell(runtime)
    work(runtime)
    [(headers, body)] = app.calls
    assert json.loads(body) == {"type": "notice.created", "data": {"reference": f"Communication/{notice}"}}
    assert headers["webhook-id"] == notice
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))


def is_signed(secret, headers, body):
    """Check a call as Standard Webhooks tells a receiver to."""
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    expected = f"v1,{b64encode(digest(key, signed, 'sha256')).decode()}"
    return expected in headers["webhook-signature"].split(" ")


def test_a_call_is_signed_with_the_secret_and_for_a_day_with_the_one_before(runtime, app, clock):
    grant(runtime)
    old = put(runtime, "hers", app)
    new = put(runtime, "hers", app)
    tell(runtime)
    work(runtime)
    assert [is_signed(secret, *app.calls[-1]) for secret in (new, old)] == [True, True]
    clock.advance(days=1)
    tell(runtime)
    work(runtime)
    assert [is_signed(secret, *app.calls[-1]) for secret in (new, old)] == [True, False]


def test_the_signature_is_the_one_of_the_reference_library():
    """Computed with the package standardwebhooks for Python."""
    made = webhooks.Webhook("app", "https://app.example", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = webhooks.headers_of(made, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "scopes",
    ["patient/Communication.rs", "offline_access patient/DocumentReference.rs", "offline_access",
     "offline_access patient/Communication.s"],
)  # fmt: skip
def test_an_app_that_may_not_read_notices_without_the_person_is_not_called(runtime, app, scopes):
    grant(runtime, scopes=scopes)
    tell(runtime)
    work(runtime)
    assert app.calls == []


@pytest.mark.parametrize("case", ["no grant", "app stopped", "no address", "webhooks off"])
def test_an_app_is_not_called_when(runtime, app, case):
    if case != "no grant":
        grant(runtime)
    if case == "webhooks off":
        runtime = replace(runtime, ports=replace(runtime.ports, webhooks=None))
    if case == "no address":
        webhooks.forget_address(runtime, OPERATOR, clients.find(runtime, "hers"))
    if case == "app stopped":
        clients.change(runtime, replace(clients.find(runtime, "hers"), disabled=True))
    tell(runtime)
    work(runtime)
    assert app.calls == []


def test_an_app_whose_grant_ends_between_plan_and_call_is_not_called(runtime, app):
    given = grant(runtime)
    [planned] = webhooks.calls_about(runtime, tell(runtime))
    revoke_grant(runtime, given.id)
    webhooks.call(runtime, planned.body)
    assert app.calls == []


def test_the_app_of_a_guardian_is_called_about_what_the_guardian_may_read(runtime, app):
    grant(runtime)
    grant(runtime, "his")
    open_, secret = tell(runtime), tell(runtime, confidential=True)
    work(runtime)
    assert sorted(called(app)) == sorted([open_, open_, secret])


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_call_that_fails_is_repeated_with_the_same_id(runtime, app, clock, status):
    grant(runtime)
    notice = tell(runtime)
    app.status = status
    work(runtime)
    assert webhooks.find(runtime, "hers").failures == 1
    app.status = 200
    clock.advance(minutes=1)
    work(runtime)
    assert called(app) == [notice, notice]
    assert webhooks.find(runtime, "hers").failures == 0


def test_an_app_that_fails_is_tried_once_for_all_that_waits_and_holds_up_no_other(runtime, app, clock):
    grant(runtime)
    app.status = 503
    waiting = {tell(runtime) for _ in range(3)}
    work(runtime)
    assert len(app.calls) == 1
    grant(runtime, "his")
    app.status = 200
    other = tell(runtime)
    work(runtime)
    assert called(app)[1:] == [other]
    clock.advance(minutes=1)
    work(runtime)
    assert set(called(app)[2:]) == waiting | {other}
    assert len(app.calls) == 6
    assert webhooks.find(runtime, "hers").rests_until is None


def test_an_app_does_not_rest_until_the_instant_of_a_clock_that_was_wrong(runtime, app, clock):
    grant(runtime)
    clock.advance(days=20)
    app.status = 503
    first = tell(runtime)
    work(runtime)
    clock.advance(days=-20)
    app.status = 200
    notice = tell(runtime)
    work(runtime)
    assert sorted(called(app)[1:]) == sorted([first, notice])


def test_an_address_that_fails_for_a_day_is_called_no_more(runtime, app, clock):
    grant(runtime)
    app.status = 503
    tell(runtime)
    while not webhooks.find(runtime, "hers").stopped_at and clock.now() < NOW + timedelta(days=3):
        work(runtime)
        clock.advance(hours=1)
    assert clock.now() - NOW >= webhooks.PATIENCE
    assert len(app.calls) >= webhooks.MOST_FAILURES
    before = len(app.calls)
    tell(runtime)
    work(runtime)
    assert len(app.calls) == before
    put(runtime, "hers", app)
    app.status = 200
    tell(runtime)
    work(runtime)
    assert len(app.calls) == before + 1


def test_an_app_that_says_that_it_is_gone_is_called_no_more(runtime, app):
    grant(runtime)
    app.status = 410
    tell(runtime)
    work(runtime)
    assert webhooks.find(runtime, "hers").stopped_at
    assert len(app.calls) == 1


def test_an_app_that_is_removed_leaves_no_address_to_an_app_that_gets_its_id(runtime, app):
    removed = clients.find(runtime, "hers")
    client_changes.remove_client(runtime, OPERATOR, removed, "by the app")
    clients.register(runtime, removed)
    grant(runtime)
    tell(runtime)
    work(runtime)
    assert app.calls == []


@pytest.mark.parametrize(
    "url",
    ["http://app.example/", "https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/", "https://[::1]/"],
)
def test_no_address_leads_into_the_operator_s_own_network(url):
    with pytest.raises(WebhookUnreachable):
        GuardedPoster().post(url, {}, b"{}")
