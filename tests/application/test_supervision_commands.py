"""`habilis suspend | resume | exceptions` as an operator types them, beside a server on the same data (V12, V13)."""

import pytest

from consent_rules.vocabulary import NO_SPACE
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.search.criteria import Search
from tests import commands
from tests.adversarial.misuse import Misuse
from tests.factories import all_of
from tests.world import World

NOBODY = "11111111-2222-4333-8444-555555555555"
WHY = ("--reason", "token stolen")
ROLE = ("--role", "screening centre")


@pytest.fixture
def misuse(world: World, settings, monkeypatch) -> Misuse:
    """Return the world of a server; the commands find its data by the settings of their environment."""
    commands.beside(settings, monkeypatch)
    clients.register(world.runtime, Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP))
    return Misuse(world)


@pytest.fixture
def run(misuse, capsys):
    """Run a command beside the world of `misuse`; return its status and what it printed."""
    assert misuse
    return commands.runner(capsys)


def id_of(misuse, kind):
    return {"person": misuse.world.ids["nour"], "establishment": misuse.world.ids["chu"], "client": "desk"}[kind]


@pytest.mark.parametrize("kind", ["person", "establishment", "client"])
def test_a_suspension_holds_at_the_next_request_and_resume_ends_it(misuse, run, kind):
    id_ = id_of(misuse, kind)
    assert misuse.opens("nour", 0) == 200
    status, said = run("suspend", kind, id_, *WHY, "--by", "Ada")
    assert (status, "declarations open no more spaces" in said) == (0, True)
    assert (misuse.opens("nour", 1), misuse.enters("nour", 0)) == (403, 200)
    status, listed = run("exceptions", "list")
    assert status == 0
    assert "suspended" in listed
    assert f"/{id_}" in listed
    assert "by Ada: token stolen" in listed
    assert run("resume", kind, id_, "--reason", "cleared")[0] == 0
    assert misuse.opens("nour", 1) == 200
    assert run("exceptions", "list") == (0, "")


def test_the_audit_log_keeps_who_suspended_whom_and_why(misuse, run):
    run("suspend", "person", misuse.world.ids["nour"], *WHY, "--by", "Ada")
    run("resume", "person", misuse.world.ids["nour"], "--reason", "cleared", "--by", "Ada")
    with misuse.world.runtime.ports.store.snapshot() as snapshot:
        events = [one.body.decode() for one in snapshot.find(Search("AuditEvent", limit=500), all_of(NO_SPACE)).rows]
    by_ada = [event for event in events if '"Ada"' in event and misuse.world.ids["nour"] in event]
    assert sorted(code for code in ("suspend-word", "resume-word") for event in by_ada if code in event) == [
        "resume-word",
        "suspend-word",
    ]
    assert {reason for reason in ("token stolen", "cleared") for event in by_ada if reason in event} == {
        "token stolen",
        "cleared",
    }


@pytest.mark.parametrize("command", ["suspend", "resume"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("person", "", *WHY), "no Practitioner"),
        (("person", NOBODY, *WHY), "no Practitioner"),
        (("establishment", NOBODY, *WHY), "no Organization"),
        (("client", "desc", *WHY), "no client"),
        (("patient", NOBODY, *WHY), "KIND"),
        (("person", "ID"), "--reason"),
        (("person", "ID", "--reason", " "), "say why"),
    ],
)
def test_a_wrong_command_changes_nothing_and_says_what_is_wrong(misuse, run, command, words, said):
    id_ = misuse.world.ids["nour"]
    status, text = run(command, *(id_ if word == "ID" else word for word in words))
    assert (status, said in text) == (2, True), text
    assert run("exceptions", "list") == (0, "")


@pytest.mark.parametrize("subject", ["person", "establishment", "client", "profession"])
def test_an_exception_holds_at_the_next_request_and_its_end_too(misuse, run, subject):
    named = "profession/10" if subject == "profession" else f"{subject}/{id_of(misuse, subject)}"
    status, said = run("exceptions", "add", named, "spaces_an_hour=1", *ROLE, "--reason", "campaign")
    assert (status, "registered" in said) == (0, True)
    assert [misuse.opens("nour", n) for n in range(2)] == [200, 403]
    shown = misuse.world.web.get("/transparency", headers={"Accept": "application/json"}).get_json()
    assert [one["role"] for one in shown["exceptions"]] == ["screening centre"]
    assert f"exception  {named}  spaces_an_hour=1  screening centre" in run("exceptions", "list")[1]
    assert run("exceptions", "end", named, "--reason", "it is over")[0] == 0
    assert misuse.opens("nour", 1) == 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("profession/10", "spaces_a_week=3", *ROLE, *WHY), "no such ceiling: spaces_a_week"),
        (("profession/10", "breaker_days=9", *ROLE, *WHY), "breaker_days"),
        (("profession/10", "requests_a_minute=0", *ROLE, *WHY), "at least 1"),
        (("profession/10", "spaces_a_day=many", *ROLE, *WHY), "spaces_an_hour=200"),
        (("profession/10", "spaces_a_day=-1", *ROLE, *WHY), "spaces_an_hour=200"),
        (("profession/10", *ROLE, *WHY), "CEILING"),
        (("profession/10", "spaces_a_day=3", *WHY), "--role"),
        (("profession/10", "spaces_a_day=3", "--role", " ", *WHY), "name the role"),
        (("profession/10", "spaces_a_day=3", *ROLE), "--reason"),
        (("profession/", "spaces_a_day=3", *ROLE, *WHY), "SUBJECT"),
        (("patient/1", "spaces_a_day=3", *ROLE, *WHY), "SUBJECT"),
        ((f"person/{NOBODY}", "spaces_a_day=3", *ROLE, *WHY), "no Practitioner"),
        (("client/desc", "spaces_a_day=3", *ROLE, *WHY), "no client"),
    ],
)
def test_a_wrong_exception_is_not_registered(run, words, said):
    status, text = run("exceptions", "add", *words)
    assert (status, said in text) == (2, True), text
    assert run("exceptions", "list") == (0, "")
