"""What a search of the audit log gives away: planted leaks in its doors are found, and no officer sees a choice."""

from dataclasses import replace

import pytest

from consent_rules.visibility import Clause
from fhir_server.adapters.sqlite import whole_trail
from fhir_server.application.core import audit_log
from fhir_server.application.reading import event_redaction
from fhir_server.domain.audit import audit_event
from fhir_server.domain.audit.audit_event_parts import RESOURCE_TYPE, named_of
from fhir_server.domain.audit.interactions import Outcome, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.search import tokens
from tests.adversarial.asked import audit
from tests.adversarial.two_worlds import KINDS, SECRET, alike, sides
from tests.adversarial.two_worlds import told as told_since
from tests.http.test_reviews import of_people, staff

DAY = "/AuditEvent?date=ge2026-03-01&date=lt2026-03-31&_sort=date&_count=200"


def search_for_the_secret(pair):
    """Let somebody who may know search by the mark of the secret: in the first world this finds nothing."""
    answers = []
    for side in pair:
        path = f"/DocumentReference?patient={side.ids[side.space]}&security-label={SECRET}"
        assert len(side.found("ines", path)) == side.has_secret
        answers.append(told_since(side, "marc", "2026-03-02T09:00:00Z"))
    return {name for name, _ in audit.TOLD if answers[0][name] != answers[1][name]}


def test_whom_a_secret_is_kept_from_finds_no_event_by_it(tmp_path):
    with sides(tmp_path, KINDS[0]) as pair:
        assert search_for_the_secret(pair) == set()


def test_a_leak_by_the_types_of_what_a_search_has_found_is_found(tmp_path, monkeypatch):
    """The fault is planted: an event is found by the type of everything that it names, whoever sees it."""
    kept = audit_event._tokens_of

    def leaking(audited, outcome, *more):
        named = {ref.partition("/")[0] for ref in named_of(audited, outcome)}
        return kept(audited, outcome, *more).union(*(tokens.token("entity-type", RESOURCE_TYPE, one) for one in named))

    monkeypatch.setattr(audit_event, "_tokens_of", leaking)
    with sides(tmp_path, KINDS[0]) as pair:
        assert search_for_the_secret(pair) == {"types of entities"}


def office(side):
    side.here()
    of_people(side)
    staff(side, "dana")
    return side


@pytest.fixture
def pair(tmp_path):
    """Two worlds without a secret in use; in the second a patient chooses."""
    with sides(tmp_path, KINDS[-1]) as (first, second):
        office(first)
        office(second)
        yield first, second


def chooses(side):
    """Hide a document, block somebody, and read the own journal."""
    assert side.hide(side.ids["plain"]).status_code == 200
    assert side.agree("camille", "zoe", "deny").status_code == 201
    return side


def told(side):
    """Return what an officer reads of the last days, without the events of the officer's own searches."""
    side.here()
    entries = side.get("dana", DAY).get_json()["entry"]
    theirs = [
        one["resource"] for one in entries if one["resource"]["agent"][-1]["who"].get("reference") != "Device/dana"
    ]
    return alike(side, str(theirs))


def test_the_choices_of_a_patient_change_nothing_that_an_officer_reads(pair):
    side = pair[1]
    before = told(side)
    chooses(side)
    assert told(side) == before


def test_the_leak_of_choices_to_an_officer_is_found(pair, monkeypatch):
    """The fault is planted: the store applies another filter than that of the decision."""
    visible = whole_trail.visible
    anything = lambda positions, seen: visible(positions, replace(seen, clauses=(Clause(),)))  # noqa: E731
    monkeypatch.setattr(whole_trail, "visible", anything)
    side = chooses(pair[1])
    side.here()
    assert side.get("dana", DAY).status_code == 500  # each result is judged again: nothing is shown


def test_the_leak_of_a_case_to_an_officer_is_found(pair, monkeypatch):
    side = pair[0]
    outcome = Outcome(touched=("Task/of-a-case",))
    audit_log.record(
        side.runtime, Caller.of_server(), interaction_of(EventKind.CASE_READ), outcome, side.ids["camille"]
    )
    assert "Task/" not in told(side)
    monkeypatch.setattr(event_redaction, "_without_case", lambda body: body)
    assert "Task/" in told(side)
