"""The operator's pages: state, lockdown, tasks, installation; the events of the commands, and no patient anywhere."""

import re

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core import lockdown
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.outbox import dead_letters
from fhir_server.application.outbox.lanes import Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change
from tests.http.test_reviews import break_glass, of_people
from tests.pages.staff import dana_at_work, oscar_at_work, staff_of
from tests.pages.test_officer_cases import everywhere
from tests.pages.visitors import SITE, alike, camille_at_home

FORMS = ("/lockdown/begin", "/lockdown/end", "/tasks/retry", "/tasks/drop")
PAGES = ("/state", "/tasks", "/installation")


def _fail(_runtime, _message):
    raise OSError


@pytest.fixture
def ward(world):
    return of_people(world)


@pytest.fixture
def oscar(ward):
    return oscar_at_work(ward)


@pytest.fixture
def letter(ward):
    """A message that has failed for good, in no lane that a worker of the test works."""
    runtime = ward.runtime
    message = Message("mail", "k", b"{}", runtime.now(), compartment=ward.ids["camille"])
    runtime.ports.store.commit(Change((), outbox=(message,)))
    Worker(runtime, (Lane("mail", _fail, tries=1),)).work_once()
    (found,) = dead_letters.find(runtime)
    return found


def told(world, act):
    """Return the events that an act leaves."""
    before = {event["id"] for event in everywhere(world)}
    act()
    return sorted((alike(event) for event in everywhere(world) if event["id"] not in before), key=str)


def test_a_lockdown_begins_with_a_reason_and_ends_on_the_page(ward, oscar):
    assert "everybody" in oscar.get("/state").text
    assert oscar.send("/lockdown/begin", reason=" ").status_code == 422
    assert lockdown.find(ward.runtime) is None
    assert oscar.send("/lockdown/begin", reason="release 42 shows too much").status_code == 303
    stop = lockdown.find(ward.runtime)
    assert (stop.by, stop.reason) == ("oscar", "release 42 shows too much")
    page = oscar.get("/state").text
    assert "only emergencies" in page
    assert "release 42 shows too much" in page
    assert dana_at_work(ward).get("/queue").status_code == 503
    assert oscar.send("/lockdown/end").status_code == 303
    assert lockdown.find(ward.runtime) is None


def test_a_lockdown_by_page_leaves_the_events_of_the_command(ward, oscar):
    csrf, runtime = oscar.csrf(oscar.at("/state")), ward.runtime

    def by_page():
        oscar.send("/lockdown/begin", csrf=csrf, reason="x")
        oscar.send("/lockdown/end", csrf=csrf)

    def by_command():
        lockdown.switch_on(runtime, "oscar", "x")
        lockdown.switch_off(runtime, "oscar")

    assert told(ward, by_page) == told(ward, by_command) != []


@pytest.mark.parametrize(("act", "left"), [("retry", 1), ("drop", 0)])
def test_a_dead_letter_is_tried_again_or_dropped(ward, oscar, letter, act, left):
    page = oscar.get("/tasks").text
    assert f"mail {letter.position}" in page
    csrf = oscar.csrf(oscar.at("/state"))
    events = told(ward, lambda: oscar.send(f"/tasks/{act}", csrf=csrf, lane="mail", position=letter.position))
    assert len(events) == 1
    states = dead_letters.lanes(ward.runtime)
    mail = [one for one in states if one.lane == "mail"]
    assert [one.dead for one in mail] in ([], [0])
    assert sum(one.ready for one in mail) == left
    again = oscar.send(f"/tasks/{act}", lane="mail", position=letter.position)
    assert again.status_code == 404


def test_the_installation_tells_versions_and_ages_and_no_secret(ward, oscar):
    page = oscar.get("/installation").text
    assert "HABILIS_STORE" in page
    assert "sqlite" in page
    assert ward.runtime.matrix.version in page
    assert "in use" in page
    assert "HABILIS_MONGODB_URI" not in page
    assert not re.search(r"mongodb://|BEGIN|\"d\":", page)


def said_of(secret, text):
    return [word for word in secret if word in text]


@pytest.mark.usefixtures("letter")
def test_no_page_of_the_operator_says_anything_of_a_patient(ward, oscar):
    break_glass(ward)
    supervising.suspend(ward.runtime, f"Practitioner/{ward.ids['awa']}", "dana", "Camille Laurent was looked up")
    ward.agree("camille", "martin")
    ward.publish()
    patient = ward.get("camille", f"/Patient/{ward.ids['camille']}").get_json()
    names = {patient["name"][0]["family"], *patient["name"][0].get("given", ()), "Camille", "Laurent"}
    secret = {ward.ids["camille"], *names, *(one["value"] for one in patient["identifier"])}
    for path in PAGES:
        assert said_of(secret, oscar.get(path).text) == [], path
    assert said_of(secret, dana_at_work(ward).get("/suspensions").text) != []  # the reason stands there


def test_the_pages_of_staff_open_by_two_factors_to_their_role_alone(ward):
    camille, dana, oscar = camille_at_home(ward), dana_at_work(ward), oscar_at_work(ward)
    for path in PAGES:
        assert oscar.get(path).status_code == 200
        assert camille.get(f"//account/operator{path}").status_code == 403
        assert dana.get(f"//account/operator{path}").status_code == 403
    assert oscar.get("//account/officer/queue").status_code == 403
    one_factor = staff_of(ward, "olga", RequesterKind.SUPPORT, secret="")
    for path in PAGES:
        answer = one_factor.get(path)
        assert (answer.status_code, "second factor" in answer.text) == (403, True)
    assert staff_of(ward, "dora", secret="").get("/queue").status_code == 403


def test_every_form_is_refused_to_others(ward, oscar):
    sent, dana = {"reason": "x", "lane": "mail", "position": "1"}, dana_at_work(ward)
    csrf = dana.csrf(dana.at("/suspensions"))
    for path in FORMS:
        assert oscar.send(path, csrf="of nobody", **sent).status_code == 403
        assert oscar.send(path, headers={"Origin": "https://elsewhere.example"}, **sent).status_code == 403
        assert dana.web.post(oscar.at(path), data={"csrf": csrf, **sent}, base_url=SITE).status_code == 403
    oscar.web.post("/logout", data={"csrf": oscar.csrf(oscar.at("/state"))}, base_url=SITE)
    assert {oscar.send(path, csrf="x", **sent).status_code for path in FORMS} == {401}
    assert lockdown.find(ward.runtime) is None
