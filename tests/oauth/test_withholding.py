"""A person leaves documents and kinds out of their own app: no path of it shows them, and nobody else is told.

On both stores, over HTTP, with the consent page answered as it comes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from flask import Flask

from fhir_server.app import create_app
from fhir_server.application.identity.accounts import change_account, find_account
from fhir_server.application.identity.grants import revoke_person
from fhir_server.ports.surroundings import Ports
from tests.engines import ENGINES, make_engine
from tests.factories import runtime_on, settings_in
from tests.oauth.conftest import FixedClock, Person, csrf_of, furnish, query_of, redeem, ticked
from tests.oauth.steps import refresh
from tests.world import LABORATORY, World

BASE = "http://localhost:8080"
FHIR = f"{BASE}/fhir"
SCOPE = "openid offline_access launch/patient patient/*.cruds"
HOURS = count(1)
"""Every test of the shared store comes after all the others."""
UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"


@dataclass
class Space:
    """Camille's space with five documents: one in a lot of its own, two in one lot, two of the laboratory."""

    world: World
    app: Flask
    clock: FixedClock
    documents: dict[str, str]
    kinds: dict[str, str]
    pages: list[str] = field(default_factory=list)

    def authorize(self, *unticked: str, client: str = "app", **asked: str) -> dict[str, str]:
        """Let an app act without some documents and kinds, given by their names here; return the token response."""
        self.clock.advance(minutes=1)
        person = Person(self.app)
        person.base = BASE
        person.unticked = {self.documents.get(name) or self.kinds[name] for name in unticked}
        where = person.authorize(**{"aud": FHIR, "scope": SCOPE, "client_id": client} | asked)
        self.pages = person.pages
        answer = redeem(self.app.test_client(), query_of(where)["code"], client_id=client)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.get_json()
        return found

    def enter(self, name: str, *unticked: str) -> None:
        """Authorize an app, or another one as "whole", and let the world send requests with its token."""
        client = "other" if name == "whole" else "app"
        self.world.tokens[name] = self.authorize(*unticked, client=client)["access_token"]

    def found(self, who: str, path: str = "/DocumentReference") -> set[str]:
        """Return the names of the documents that a search shows."""
        names = {id_: name for name, id_ in self.documents.items()}
        return {names.get(id_, id_) for id_ in self.world.found(who, f"{path}?_count=50")}


@pytest.fixture(scope="module", params=ENGINES)
def engine_ports(request, tmp_path_factory) -> Iterator[Ports]:
    engine = make_engine(request.param, request, tmp_path_factory.mktemp(request.param))
    furnish(engine.ports)
    yield engine.ports
    engine.close()


@pytest.fixture(scope="module")
def app(engine_ports, tmp_path_factory) -> Flask:
    folder = tmp_path_factory.mktemp("unused")
    settings = settings_in(folder, BASE)
    return create_app(settings, runtime_on(engine_ports, BASE))


@pytest.fixture(scope="module")
def furnished(app, engine_ports) -> World:
    """Record the directory once; Camille is the account's patient."""
    runtime = runtime_on(engine_ports, BASE)
    world = World(runtime, app.test_client()).open()
    account = find_account(runtime, "camille")
    change_account(runtime, replace(account, person=f"Patient/{world.ids['camille']}"))
    return world


@pytest.fixture
def space(furnished, app, clock, engine_ports) -> Space:
    clock.advance(hours=next(HOURS))
    runtime = replace(furnished.runtime, ports=replace(engine_ports, clock=clock))
    app.extensions["habilis.runtime"] = runtime
    world = replace(furnished, runtime=runtime, tokens=dict(furnished.tokens))
    revoke_person(runtime, find_account(runtime, "camille").subject)
    world.count = 1000 * next(HOURS)
    documents = {name: world.publish(title=name) for name in ("knee", "lonely")}
    documents |= zip(("left", "right"), world.publish_all("chu-ehr", world.filing(), world.filing()), strict=True)
    documents |= {"blood": world.publish(title="blood", type_=LABORATORY, category=("11", "Résultats"))}
    return Space(world, app, clock, documents, {"laboratory": LABORATORY[1]})


def test_an_unticked_document_is_on_no_path_of_the_app(space):
    world, document = space.world, space.documents["knee"]
    content = content_of(space, "knee")
    space.enter("app", "knee")
    unknown = world.get("app", f"/DocumentReference/{UNKNOWN}", X_Request_Id="same")
    for path in (
        f"/DocumentReference/{document}", f"/DocumentReference/{document}/_history/1", f"/Binary/{content}",
    ):  # fmt: skip
        answer = world.get("app", path, X_Request_Id="same")
        assert (answer.status_code, answer.data) == (404, unknown.data), path
    assert world.get("app", f"/DocumentReference/{document}/_history").status_code == 404
    shown = space.found("app")
    assert "knee" not in shown
    assert {"lonely", "left", "right", "blood"} <= shown
    assert world.found("app", f"/DocumentReference?_id={document}") == []
    assert content not in world.get("app", "/DocumentReference?_count=50").text


def test_the_page_tells_the_day_of_a_document_in_the_time_zone_of_the_readers(space):
    space.world.publish(date="2026-02-28T23:30:00Z")
    space.authorize()
    assert '<time datetime="2026-02-28T23:30:00+00:00">1 mars 2026</time>' in space.pages[-1]


def test_totals_and_pages_count_what_the_app_sees(space):
    space.enter("whole")
    space.enter("app", "knee", "left")
    every = space.world.get("whole", "/DocumentReference?_total=accurate&_count=1").get_json()["total"]
    cut = space.world.get("app", "/DocumentReference?_total=accurate&_count=1").get_json()["total"]
    counted = space.world.get("app", "/DocumentReference?_summary=count").get_json()["total"]
    assert (cut, counted) == (every - 2, every - 2)


def test_a_batch_entry_is_judged_like_a_request_of_its_own(space):
    space.enter("app", "knee")
    entries = [
        {"request": {"method": "GET", "url": f"DocumentReference/{space.documents[name]}"}} for name in ("knee", "left")
    ]
    body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = space.world.send("app", "POST", "", body).get_json()
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["404", "200"]


def test_a_submission_set_shows_no_reference_to_it_and_is_gone_when_nothing_is_left(space):
    sets = {name: lot_of(space, document) for name, document in space.documents.items()}
    space.enter("app", "left", "lonely")
    text = space.world.get("app", f"/List/{sets['left']}").text
    assert space.documents["right"] in text
    assert space.documents["left"] not in text
    assert space.world.get("app", f"/List/{sets['lonely']}").status_code == 404
    assert sets["lonely"] not in space.world.found("app", "/List?_count=50")


def lot_of(space: Space, document: str) -> str:
    """Return the submission set that gathers a document."""
    found = space.world.get("camille", "/List?_count=50").get_json()["entry"]
    return next(entry["resource"]["id"] for entry in found if document in str(entry["resource"].get("entry")))


def test_an_app_cannot_change_or_remove_what_is_withheld_from_it(space):
    space.enter("app", "knee")
    document = space.documents["knee"]
    assert space.world.hide(document, "app").status_code == 404
    removed, unknown = (space.world.send("app", "DELETE", f"/DocumentReference/{id_}") for id_ in (document, UNKNOWN))
    assert (removed.status_code, removed.data) == (unknown.status_code, unknown.data)
    assert space.world.get("camille", f"/DocumentReference/{document}").status_code == 200


def test_a_replacement_of_a_withheld_document_is_withheld_too(space):
    space.enter("whole")
    space.enter("app", "knee")
    newer = space.world.publish(title="knee, corrected", replaces=space.documents["knee"])
    assert space.world.get("app", f"/DocumentReference/{newer}").status_code == 404
    assert space.world.get("whole", f"/DocumentReference/{newer}").status_code == 200
    assert newer not in space.world.found("app", "/DocumentReference?_count=50")


def test_an_unticked_kind_is_closed_now_and_for_documents_to_come(space):
    space.enter("app", "laboratory")
    space.documents["later"] = space.world.publish(type_=LABORATORY, category=("11", "Résultats"))
    space.documents["other"] = space.world.publish()
    shown = space.found("app")
    assert not {"blood", "later"} & shown
    assert {"knee", "other"} <= shown
    assert space.world.get("app", f"/DocumentReference/{space.documents['later']}").status_code == 404


def test_the_journal_names_it_to_the_person_and_not_to_the_app(space):
    document = space.documents["knee"]
    space.enter("app", "knee")
    space.world.get("camille", f"/DocumentReference/{document}")
    path = "/AuditEvent?_count=50"
    assert document in space.world.get("camille", path).text
    assert document not in space.world.get("app", path).text


@pytest.mark.parametrize(
    "path",
    ["/List?item=DocumentReference/{id}", "/List?item={id}", "/AuditEvent?entity=DocumentReference/{id}",
     "/AuditEvent?entity=Binary/{content}", "/DocumentReference?relatesto=DocumentReference/{id}",
     "/Consent?data=DocumentReference/{id}"],
)  # fmt: skip
def test_nothing_can_be_searched_by_what_is_withheld(space, path):
    named = {"id": space.documents["left"], "content": content_of(space, "left")}
    space.world.get("camille", f"/Binary/{named['content']}")
    space.enter("whole")
    space.enter("app", "left")
    space.world.publish(replaces=named["id"])
    unknown = path.format(id=UNKNOWN, content=UNKNOWN)
    assert space.world.found("app", path.format(**named)) == space.world.found("app", unknown) == []
    if "data" not in path:
        assert space.world.found("whole", path.format(**named)) != []


def content_of(space: Space, name: str) -> str:
    """Return the id of a document's content."""
    body = space.world.get("camille", f"/DocumentReference/{space.documents[name]}").get_json()
    return body["content"][0]["attachment"]["url"].rpartition("/Binary/")[2]


@pytest.mark.parametrize("operation", ["$audience", "$explain"])
def test_operations_know_it_no_better_than_an_unknown_id(space, operation):
    space.enter("app", "knee")
    known, unknown = (
        space.world.get("app", f"/DocumentReference/{id_}/{operation}", X_Request_Id="same")
        for id_ in (space.documents["knee"], UNKNOWN)
    )
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)


def test_nobody_else_is_cut_or_told(space):
    whole, cut = space.authorize(), space.authorize("knee", "laboratory")
    told = {name: value for name, value in cut.items() if not name.endswith("_token")}
    assert told == {name: value for name, value in whole.items() if not name.endswith("_token")}
    space.enter("whole")
    for who in ("camille", "whole"):
        assert {"knee", "blood"} <= space.found(who)
    assert space.world.get("chu-ehr", f"/DocumentReference/{space.documents['knee']}").status_code == 200


def test_renewal_keeps_what_is_withheld(space):
    body = space.authorize("knee")
    again = refresh(space.app.test_client(), body["refresh_token"]).get_json()
    space.world.tokens["app"] = again["access_token"]
    assert "knee" not in space.found("app")


def test_what_was_left_out_last_is_closed_to_whatever_is_renewed_from_before(space):
    content, web = content_of(space, "knee"), space.app.test_client()
    before = space.authorize()
    early = refresh(web, before["refresh_token"]).get_json()
    space.world.tokens["early"] = early["access_token"]
    assert {"knee", "blood", "left"} <= space.found("early")
    space.authorize("knee", "laboratory")
    late = refresh(web, early["refresh_token"]).get_json()
    space.world.tokens["late"] = late["access_token"]
    space.world.tokens["later"] = refresh(web, late["refresh_token"]).get_json()["access_token"]
    paths = [f"/DocumentReference/{space.documents[name]}" for name in ("knee", "blood")] + [f"/Binary/{content}"]
    for path in paths:
        assert [space.world.get(who, path).status_code for who in ("early", "late", "later")] == [401, 404, 404], path
    for who in ("late", "later"):
        assert not {"knee", "blood"} & space.found(who)
        assert {"left", "right", "lonely"} <= space.found(who)


def test_a_silent_repetition_keeps_what_is_withheld(space):
    person = Person(space.app)
    person.base, person.unticked = BASE, {space.documents["knee"]}
    person.authorize(aud=FHIR, scope=SCOPE)
    code = query_of(person.authorize(aud=FHIR, scope=SCOPE, prompt="none"))["code"]
    space.world.tokens["app"] = redeem(space.app.test_client(), code).get_json()["access_token"]
    assert "knee" not in space.found("app")


def test_the_page_remembers_what_was_left_out_of_this_app(space):
    space.authorize("knee", "laboratory")
    space.authorize()
    page = space.pages[-1]
    assert space.documents["knee"] not in ticked(page, "document")
    assert space.kinds["laboratory"] not in ticked(page, "kind")
    assert space.documents["left"] in ticked(page, "document")
    space.authorize(client="other")
    assert space.documents["knee"] in ticked(space.pages[-1], "document")


def test_a_document_that_comes_while_the_person_reads_is_not_taken_for_one_left_out(space):
    person = Person(space.app)
    person.base = BASE
    answer = person.ask(aud=FHIR, scope=SCOPE)
    for _ in range(2):
        path = re.sub(r"^https?://[^/]+", "", answer.headers["Location"])
        page = person.get(path).text
        if 'value="consent"' in page:
            break
        answer = person.answer(path, page)
    newest = space.world.publish()
    code = query_of(person.answer(path, page).headers["Location"])["code"]
    space.world.tokens["app"] = redeem(space.app.test_client(), code).get_json()["access_token"]
    assert newest in space.world.found("app", "/DocumentReference?_count=50")


def test_the_person_s_look_at_the_list_is_in_the_journal(space):
    space.authorize()
    events = space.world.get("camille", "/AuditEvent?_count=50").get_json()["entry"]
    seen = [entry["resource"] for entry in events if "ITI-67" in str(entry["resource"].get("subtype"))]
    assert any(space.documents["knee"] in str(event) and "habilis" in str(event["agent"]) for event in seen)


def test_the_management_page_says_app_grant_last_use_and_what_was_left_out_and_cuts(space):
    person = Person(space.app)
    person.base, person.unticked = BASE, {space.documents["knee"], space.kinds["laboratory"]}
    code = query_of(person.authorize(aud=FHIR, scope=SCOPE))["code"]
    assert "Last used" not in person.get("/account/apps", lang="en").text
    space.clock.advance(seconds=30)
    token = redeem(space.app.test_client(), code).get_json()["access_token"]
    page = person.get("/account/apps", lang="en").text
    used = space.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    for text in ("MaTension", "Camille Laurent", "Last used", used, "documents: 1, kinds of documents: 1"):
        assert text in page, text
    assert space.documents["knee"] not in page
    space.world.tokens["app"] = token
    assert space.world.get("app", "/DocumentReference").status_code == 200
    path = re.search(r'action="(/account/apps/[^"]+)"', page)[1]
    assert person.post(path, {"csrf": csrf_of(page)}).status_code == 303
    assert space.world.get("app", "/DocumentReference").status_code == 401


def test_what_documents_are_called_is_escaped(space):
    space.world.publish(title='<script>alert("x")</script>')
    space.authorize()
    assert "<script>" not in space.pages[-1]
    assert "&lt;script&gt;" in space.pages[-1]


@pytest.mark.parametrize("value", ["<", "é", "x" * 5000, "DocumentReference/1", "%00", ""])
def test_odd_boxes_withhold_no_more_and_break_nothing(space, value):
    person = Person(space.app)
    person.base = BASE
    answer = person.ask(aud=FHIR, scope=SCOPE)
    for _ in range(2):
        path = re.sub(r"^https?://[^/]+", "", answer.headers["Location"])
        page = person.get(path).text
        if 'value="consent"' in page:
            break
        answer = person.answer(path, page)
    boxes = {name: [*ticked(page, name), value] for name in ("document", "kind")}
    form = {"csrf": csrf_of(page), "step": "consent", "decision": "allow", "scope": "patient/*.cruds"} | boxes
    code = query_of(person.post(path, form).headers["Location"])["code"]
    space.world.tokens["app"] = redeem(space.app.test_client(), code).get_json()["access_token"]
    assert {"knee", "lonely", "left", "right", "blood"} <= space.found("app")


def test_a_professional_s_app_is_offered_no_such_choice(space):
    person = Person(space.app, "paul")
    person.base = BASE
    person.authorize(aud=FHIR, client_id="pro", scope="openid user/DocumentReference.rs")
    assert ticked(person.pages[-1], "document") == []
