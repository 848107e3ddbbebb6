"""docs/life-of-a-request.md compared with the running program: each flow is played, and each call of it recorded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask

from consent_rules.vocabulary import RequesterKind
from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.application.core import lockdown
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient, add_account
from fhir_server.application.identity.clients import Client, ClientKind, register
from fhir_server.oauth.granted.launches import Launch, create_launch
from tests.conformance.project import text_of
from tests.conftest import FixedClock
from tests.factories import settings_in
from tests.oauth import steps
from tests.oauth.conftest import PASSWORD, PATIENT_SCOPES, USER_SCOPES, Person, query_of, redeem
from tests.tracing import Recorded, Trace
from tests.world import BASE, World

PAGE = text_of("docs/life-of-a-request.md")
SECTIONS = dict(re.findall(r"^##? (.+)\n((?:(?!##? ).*\n?)*)", PAGE, flags=re.MULTILINE))
"""Heading to text."""
COSTS = "What a request takes"
"""The heading of the table of measures."""
PATHS = [
    (heading, asked, tuple(re.findall(r"`([a-z_0-9.]+)`", names)))
    for heading, text in SECTIONS.items()
    for asked, names in re.findall(r"^> `([A-Z]+ [^`]+)`: (.+)$", text, flags=re.MULTILINE)
]
"""Each path: its heading, the request that runs it, its functions from the outermost to the innermost."""
NAMED = [
    (heading, name)
    for heading, text in SECTIONS.items()
    for name in sorted(set(re.findall(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+)`", text)) - {"module.function"})
]
COMMITTING = {
    "1. A physiotherapist searches": "application.reading.search.find",
    "2. A hospital publishes": "application.bundles.transactions.transact",
    "4. A physician breaks the glass, and reads": "application.spaces.break_glass.open_as_granted",
    "A patient blocks a professional": "application.bundles.handlers.write",
}
"""The parts of the page that speak of one write, and the function beneath which it is."""
DECIDE = "consent_rules.decision.decide.decide"
COMMIT = "fhir_server.adapters.sqlite.store.SqliteStore.commit"
LOOK_UP = ("fhir_server.oauth.resource.bearer.caller_of", "fhir_server.application.identity.access_tokens.find_used")
CONSENT_PAGE = "fhir_server.http.pages.sign_in.consent.show"
VAULT_READS = [
    f"fhir_server.adapters.sqlite.vault.SqliteVault.{name}" for name in ("get", "get_all", "take", "entries")
]


class Browser(Person):
    """Somebody in a browser, at the address of this server."""

    base = BASE.removesuffix("/fhir")


@dataclass
class Stage:
    """A server on the real store with the people of the page; what it was asked, by heading of the page."""

    world: World
    app: Flask
    clock: FixedClock
    recorded: Recorded
    traces: dict[str, list[Trace]] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)

    def of(self, heading: str, asked: str) -> list[Trace]:
        """Return the requests of a flow that are as the page writes one: `…` is anything, `{id}` an id."""
        pattern = re.escape(asked).replace("…", ".*").replace(re.escape("{id}"), "[^/?]+")
        return [trace for trace in self.traces[heading] if re.fullmatch(pattern, trace.asked)]

    def search(self, who: str, status: int = 200) -> None:
        """Search the current documents of Camille."""
        answer = self.world.get(who, f"/DocumentReference?patient={self.world.ids['camille']}&status=current")
        assert answer.status_code == status, answer.text

    def read(self, who: str, status: int = 200) -> None:
        """Read one document of Camille."""
        answer = self.world.get(who, f"/DocumentReference/{self.documents[0]}")
        assert answer.status_code == status, answer.text

    def ask_person(self, login: str, client: str, **asked: str) -> str:
        """Walk somebody through the pages until the app has a code."""
        choices = {"code": steps.code_now(self.clock), "reason": "unconscious", "explanation": "found at home"}
        person = Browser(self.app, login, **choices, confirmed="yes")
        where = person.authorize(client_id=client, aud=BASE, **asked)
        assert "code" in query_of(where), (where, person.pages)
        return query_of(where)["code"]


def prepare(stage: Stage) -> None:
    """Enter people and apps, file two documents, and let the physiotherapist in; ask once for what is loaded once."""
    world, runtime = stage.world.open(), stage.world.runtime
    world.professional("paul", "70", "other")
    own = RepresentedPatient(world.ids["camille"], f"Patient/{world.ids['camille']}", "Camille")
    post = PractitionerRoleRef("", f"Organization/{world.ids['chu']}", "CHU", "10", label="CHU")
    nour = f"Practitioner/{world.ids['nour']}"
    patient = Account("camille", RequesterKind.PATIENT, own.person, "Camille", patients=(own,))
    physician = Account("nour", RequesterKind.PROFESSIONAL, nour, "Nour", (post,), totp=steps.TOTP)
    for account in (patient, physician):
        add_account(runtime, account, PASSWORD)
    callback = ("https://app.example/cb",)
    register(runtime, Client("app", "MaTension", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES))
    register(runtime, Client("pro", "Consult", ClientKind.PROFESSIONAL_APP, callback, USER_SCOPES))
    stage.documents = [world.publish(), world.publish()]
    assert world.agree("camille", "paul").status_code == 201
    stage.search("paul")


def any_call(stage: Stage) -> None:
    """Read, search and write; then ask while only emergencies are let through."""
    stage.search("paul")
    stage.read("paul")
    assert stage.world.hide(stage.documents[1]).status_code == 200
    lockdown.switch_on(stage.world.runtime, "eve@desk", "release 42 shows too much")
    stage.search("paul", 503)
    lockdown.switch_off(stage.world.runtime, "eve@desk")


def physiotherapist_searches(stage: Stage) -> None:
    """Search as a professional whom the patient let in."""
    stage.search("paul")


def hospital_publishes(stage: Stage) -> None:
    """Publish a document that replaces another one."""
    stage.world.publish(replaces=stage.world.publish())


def patient_hides(stage: Stage) -> None:
    """Hide a document from professionals."""
    assert stage.world.hide(stage.documents[0]).status_code == 200


def physician_breaks_the_glass(stage: Stage) -> None:
    """Open the space on the pages of the server, and read with the token that comes of it."""
    handle = create_launch(stage.world.runtime, Launch("pro", "nour", stage.world.ids["camille"]))
    code = stage.ask_person("nour", "pro", scope=f"launch {steps.BREAK_GLASS}", launch=handle)
    stage.world.tokens["nour in an emergency"] = redeem(stage.world.web, code, client_id="pro").get_json()[
        "access_token"
    ]
    stage.read("nour in an emergency")


def app_is_authorized(stage: Stage) -> None:
    """Let an app read, let it call, renew its token, and end its grant."""
    code = stage.ask_person("camille", "app", scope=steps.OFFLINE)
    told = redeem(stage.world.web, code).get_json()
    stage.world.tokens["app"] = told["access_token"]
    stage.search("app")
    again = steps.refresh(stage.world.web, told["refresh_token"])
    assert again.status_code == 200, again.text
    ended = {"token": again.get_json()["refresh_token"], "client_id": "app"}
    assert stage.world.web.post("/oauth/revoke", data=ended).status_code == 200


def patient_blocks(stage: Stage) -> None:
    """Block the physiotherapist, who then searches."""
    assert stage.world.agree("camille", "paul", "deny").status_code == 201
    stage.search("paul", 403)


def request_is_refused(stage: Stage) -> None:
    """Search and read without any proof of care."""
    stage.search("zoe", 403)
    stage.read("zoe", 404)


FLOWS = {
    "The life of a request": any_call,
    "1. A physiotherapist searches": physiotherapist_searches,
    "2. A hospital publishes": hospital_publishes,
    "3. A patient hides a document": patient_hides,
    "4. A physician breaks the glass, and reads": physician_breaks_the_glass,
    "5. An app is authorized": app_is_authorized,
    "A patient blocks a professional": patient_blocks,
    "A request that is refused": request_is_refused,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The server after all flows."""
    settings = settings_in(tmp_path_factory.mktemp("life"), BASE.removesuffix("/fhir"))
    opening.create_keys(settings.key_file)
    served, clock = build_runtime(settings), FixedClock()
    runtime = replace(served, ports=replace(served.ports, clock=clock))
    app = create_app(settings, runtime)
    recorded = Recorded(app.wsgi_app)
    app.wsgi_app = recorded
    stage = Stage(World(runtime, app.test_client()), app, clock, recorded)
    prepare(stage)
    for heading, play in FLOWS.items():
        recorded.traces.clear()
        play(stage)
        stage.traces[heading] = list(recorded.traces)
    yield stage
    served.ports.store.close()


def full(name: str) -> str:
    """Return the full name of a function that the page names."""
    return name if name.startswith("consent_rules.") else f"fhir_server.{name}"


def test_each_part_of_the_page_is_a_flow_with_a_path():
    assert list(SECTIONS) == [*FLOWS, COSTS]
    assert {heading for heading, _, _ in PATHS} == set(FLOWS)
    assert len(PATHS) == len(re.findall(r"^>", PAGE, flags=re.MULTILINE))
    assert min(len(path) for _, _, path in PATHS) > 1


@pytest.mark.parametrize(("heading", "asked", "path"), PATHS, ids=[path[-1] for _, _, path in PATHS])
def test_a_path_of_the_page_is_a_chain_of_calls_of_its_request(stage, heading, asked, path):
    ran = stage.of(heading, asked)
    assert ran, [trace.asked for trace in stage.traces[heading]]
    innermost = [stack for trace in ran for stack in trace.stacks if stack[-1] == full(path[-1])]
    assert any(trace.has_chain([full(name) for name in path]) for trace in ran), innermost[:3]


@pytest.mark.parametrize(("heading", "asked", "path"), PATHS, ids=[path[-1] for _, _, path in PATHS])
def test_a_path_told_backwards_is_no_chain(stage, heading, asked, path):
    backwards = [full(name) for name in reversed(path)]
    assert not any(trace.has_chain(backwards) for trace in stage.of(heading, asked))


def test_two_calls_one_after_the_other_are_no_chain(stage):
    (search,) = stage.traces["1. A physiotherapist searches"]
    one_after_the_other = [DECIDE, "fhir_server.application.core.audit_log.record"]
    assert search.called.issuperset(one_after_the_other)
    assert not search.has_chain(one_after_the_other)


@pytest.mark.parametrize(("heading", "name"), NAMED)
def test_a_function_that_a_flow_names_is_called_in_it(stage, heading, name):
    assert any(full(name) in trace.called for trace in stage.traces[heading]), [t.asked for t in stage.traces[heading]]


def test_no_fhir_request_is_answered_without_a_live_look_up_of_its_token(stage):
    asked = [trace for traces in stage.traces.values() for trace in traces if " /fhir" in trace.asked]
    assert len(asked) > 10
    assert [trace.asked for trace in asked if not trace.has_chain(LOOK_UP)] == []


def test_the_parts_that_speak_of_one_write_are_checked():
    assert [heading for heading, text in SECTIONS.items() if "[1 write" in text] == list(COMMITTING)


@pytest.mark.parametrize(("heading", "name"), COMMITTING.items())
def test_one_write_is_one_commit_of_the_store(stage, heading, name):
    ran = [trace for trace in stage.traces[heading] if full(name) in trace.called]
    assert {len(trace.depths(full(name), COMMIT)) for trace in ran} == {1}


def test_no_measure_is_above_the_one_of_the_page(stage):
    (search,), (hide,) = stage.traces["1. A physiotherapist searches"], stage.traces["3. A patient hides a document"]
    pages = [trace for traces in stage.traces.values() for trace in traces if CONSENT_PAGE in trace.called]
    measured = {
        "functions of ours from the view of a search to the decision": max(
            search.depths("fhir_server.http.fhir.search.search", DECIDE)
        ),
        "functions of ours from the view of a hide to the decision": max(
            hide.depths("fhir_server.http.fhir.write.patch", DECIDE)
        ),
        "modules of ours that a search enters": len(search.modules),
        "reads of the vault of a consent page": max(page.times(VAULT_READS) for page in pages),
    }
    told = {name: int(number) for name, number in re.findall(r"^\| (.+?) \| (\d+) \|$", SECTIONS[COSTS], re.MULTILINE)}
    print(measured)  # noqa: T201 - pytest -rP shows what holds today
    assert list(told) == list(measured)
    assert {name: (number, told[name]) for name, number in measured.items() if number > told[name]} == {}
