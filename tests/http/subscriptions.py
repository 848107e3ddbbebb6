"""What the tests of subscriptions do: an endpoint that takes notifications, clients with an address, the worker."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic

import pytest

from fhir_server import worker
from fhir_server.adapters.webhooks import GuardedPoster
from fhir_server.application.identity import access_tokens, clients
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.grants import Grant, revoke_grant, store_grant
from fhir_server.application.notices import webhooks
from fhir_server.domain.caller import Caller
from fhir_server.domain.subscriptions.asked import CONTENT, FILTER, HEARTBEAT
from fhir_server.domain.values import ClientId, GrantId, Json
from fhir_server.outbound import Reach
from tests.world import World

TOPIC = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-"
OF_PATIENT, OF_MANY = (f"{TOPIC}DocumentReference-{name}" for name in ("PatientDependent", "MultiPatient"))
OPERATOR = Caller.of_operator("eve")


@dataclass
class Endpoint:
    """Where notifications go. status: of its answers. arrived: when each call came, by `time.monotonic`."""

    status: int = 200
    url: str = ""
    secret: str = ""
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)

    @property
    def bundles(self) -> list[Json]:
        return [json.loads(body) for _, body in self.calls]

    def told(self, kind: str = "event-notification") -> list[Json]:
        """Return the notifications of a kind, as {parameter: value}; `focus` and `number` are those of the event."""
        statuses = [status(bundle) for bundle in self.bundles]
        return [one for one in statuses if one["type"] == kind]


def status(bundle: Json) -> Json:
    """Return the status in a notification, as {parameter: value}, with the parts of its last event."""
    found: Json = {}
    for parameter in bundle["entry"][0]["resource"]["parameter"]:
        for one in (parameter, *parameter.get("part", ())):
            found |= dict.fromkeys([one["name"]], next((v for n, v in one.items() if n.startswith("value")), None))
    return found


@contextmanager
def listening() -> Iterator[Endpoint]:
    """Run an endpoint."""
    taking = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taking.arrived.append(monotonic())
            taking.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(taking.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taking.url = f"http://127.0.0.1:{server.server_address[1]}/"
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield taking
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with listening() as taking:
        yield taking


@pytest.fixture
def notified(world: World, endpoint: Endpoint) -> World:
    return calling(world, endpoint)


def calling(world: World, endpoint: Endpoint) -> World:
    """Return a world that calls apps, in which the software of both hospitals is registered with the endpoint."""
    ports = replace(world.runtime.ports, webhooks=GuardedPoster(Reach.LOOPBACK))
    world.runtime = replace(world.runtime, ports=ports)
    world.web.application.extensions["habilis.runtime"] = world.runtime
    for place in ("chu", "other"):
        enrol(world, endpoint, f"{place}-ehr", ClientKind.BACKEND, f"Organization/{world.ids[place]}")
    return world


def enrol(world: World, endpoint: Endpoint, name: str, kind: ClientKind, organization: str = "") -> None:
    """Register a client, and its address."""
    scopes = "system/*.cruds" if kind is ClientKind.BACKEND else "patient/*.cruds user/*.cruds offline_access"
    client = Client(name, name, kind, scopes=scopes, organization=organization)
    clients.register(world.runtime, client)
    endpoint.secret = webhooks.register_address(world.runtime, OPERATOR, client, endpoint.url)


def subscription(endpoint: Endpoint, topic: str, *filters: str, content: str = "id-only", heartbeat: int = 0) -> Json:
    """Build a Subscription. filters: such as "DocumentReference?patient=Patient/1"."""
    channel: Json = {
        "type": "rest-hook",
        "endpoint": f"{endpoint.url}fhir",
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": CONTENT, "valueCode": content}]},
    }
    if heartbeat:
        channel["extension"] = [{"url": HEARTBEAT, "valueUnsignedInt": heartbeat}]
    built: Json = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "new documents",
        "criteria": topic,
        "channel": channel,
    }
    if filters:
        built["_criteria"] = {"extension": [{"url": FILTER, "valueString": one} for one in filters]}
    return built


def about(world: World, patient: str = "camille", more: str = "") -> str:
    return f"DocumentReference?patient=Patient/{world.ids[patient]}{more}"


def subscribe(world: World, who: str, body: Json) -> str:
    """Create a subscription, let the worker try its endpoint, and return its id."""
    answer = world.send(who, "POST", "/Subscription", body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert answer.get_json()["status"] == "requested"
    work(world)
    found: str = answer.get_json()["id"]
    return found


def work(world: World) -> None:
    """Let the worker do what is ready, also what that puts."""
    for _ in range(3):
        worker.build(world.runtime).work_once()


def app_of(
    world: World, endpoint: Endpoint, who: str, *, scopes: str = "", enrolled: bool = False, name: str = ""
) -> Grant:
    """Give somebody an app of their own, whose grant holds while they are away; its token is `{who}-app`.

    scopes: of the grant, "" for those of the person's token and `offline_access`. enrolled: whether the app exists.
    """
    app, known = name or f"{who}-app", access_tokens.find_access(world.runtime, world.tokens[who])
    assert known is not None
    if not enrolled:
        enrol(world, endpoint, app, ClientKind.PATIENT_APP)
    given = replace(
        known.grant,
        id=GrantId(world.runtime.ports.ids.new()),
        client_id=ClientId(app),
        requester=replace(known.grant.requester, client=f"Device/{app}"),
        scopes=scopes or f"{known.grant.scopes} offline_access",
    )
    store_grant(world.runtime, given)
    world.tokens[app] = access_tokens.issue_access(world.runtime, given, lifetime=timedelta(days=3650))[0]
    return given


def revoke(world: World, grant: Grant) -> None:
    assert revoke_grant(world.runtime, grant.id)
