"""Non-interference of trail, journal, notices and totals: what a secret leaves for whom it is kept from is nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fhir_server import worker
from fhir_server.adapters.mongo import filters, snapshot
from fhir_server.application.consents import contests
from fhir_server.application.core import enforcement_point, notices_owed
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.detection import looks
from fhir_server.application.reading.joining import includes
from fhir_server.domain.audit import audit_event
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.surroundings import Ports
from tests.adversarial.two_worlds import BATCH, FILLED, KINDS, Deed, Kind, Side, differences, sides, told, unknown_names
from tests.engines import ENGINES, MongoEngine, MongoServer
from tests.holds import holds
from tests.http.cases import decide, look, queued
from tests.http.test_contests import contest, undo
from tests.http.test_invitations import invite, redeem
from tests.http.test_reviews import staff

TRIALS = 400
"""Deeds for each of five kinds of secrets: 2,000 together."""
TRIALS_SEALED = 80
"""Deeds for the kind that changes while it waits: what it may leave is there before the first of them."""
TRIALS_ON_MONGODB = 20
MINORS = KINDS[0]
WAITING = next(kind for kind in KINDS if kind.mark == "INVISIBLE_PATIENT")


@pytest.fixture
def on_mongodb(mongo_server: MongoServer) -> Iterator[Callable[[Path], Ports]]:
    """Return what opens a store on MongoDB in a folder."""
    engines: list[MongoEngine] = []

    def opened(folder: Path) -> Ports:
        engines.append(MongoEngine(folder, mongo_server))
        return engines[-1].ports

    yield opened
    for engine in engines:
        engine.close()


@holds("AC29", "AC30")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whom_a_secret_is_kept_from_is_told_the_same_in_both_worlds(tmp_path, kind):
    with sides(tmp_path, kind) as pair:
        found = next(differences(pair, kind, TRIALS_SEALED if kind.sealed or kind.together else TRIALS, seed=8), None)
        unknown = {who: unknown_names(pair[1], who) for who in kind.blind}
    assert found is None, f"{found.who}: {found.what}\n{found.without}\n---\n{found.with_it}\n{found.deeds}"
    assert unknown == {who: set() for who in kind.blind}


def test_the_leak_of_a_trace_that_is_not_judged_by_what_it_is_about_is_found(tmp_path, monkeypatch):
    """The fault is planted: traces are about no document, as it was before."""
    monkeypatch.setattr(audit_event, "about", lambda _deed, _verdict: ())
    with sides(tmp_path, KINDS[0]) as pair:
        assert next(differences(pair, KINDS[0], TRIALS, seed=8), None) is not None


def test_the_leak_of_a_waiting_result_that_became_secret_is_found(tmp_path, monkeypatch):
    """The fault is planted: the notice that a result waits is about no document, as it was before."""
    stored = notices_owed.stored

    def forgetful(*notice, **more):
        more.pop("documents", None)
        return stored(*notice, **more)

    monkeypatch.setattr(notices_owed, "stored", forgetful)
    (kind,) = (kind for kind in KINDS if kind.sealed)
    with sides(tmp_path, kind) as pair:
        found = next(differences(pair, kind, BATCH, seed=8), None)
    assert found is not None
    assert found.who == "marc"


def test_the_secret_is_noticed_by_whoever_may_know_it(tmp_path):
    """The control: the same comparison for somebody who may know finds the difference."""
    kind = replace(KINDS[0], blind=("ines",))
    with sides(tmp_path, kind) as pair:
        assert next(differences(pair, kind, 40, seed=8), None) is not None


def test_the_leak_of_a_record_of_deposit_that_comes_with_a_search_is_found(tmp_path, monkeypatch):
    """The fault is planted: `_revinclude` brings whatever refers to a document, whoever sees it."""
    monkeypatch.setattr(includes.Includes, "_shown", _everything_of_the_type)
    with sides(tmp_path, KINDS[-1]) as pair:
        found = next(differences(pair, KINDS[-1], 40, seed=8), None)
    assert found is not None
    assert found.what.startswith(("brought", "documents with records"))


def _everything_of_the_type(self, asked):
    everything = whole_space(ReadingReason.REGISTERED, self.access.entered.patient)
    rows = self.access.snapshot.find(Search(asked.type, limit=200), everything).rows
    return includes.present(self.access, rows, everything)


def test_the_leak_of_a_grade_that_rests_on_a_hidden_submission_is_found(tmp_path, monkeypatch):
    """The fault is planted: events tell the grade of all evidence, as it was before."""
    monkeypatch.setattr(enforcement_point, "_told", lambda _access, permit, _record, _action: permit)
    with sides(tmp_path, WAITING) as pair:
        found = told_apart(pair, WAITING, lambda side: reads(side, "gil"))
    assert found


def reads(side: Side, who: str) -> None:
    assert side.get(who, f"/DocumentReference?patient={side.ids[side.space]}").status_code == 200


def told_apart(pair: tuple[Side, Side], kind: Kind, deed: Deed) -> dict[str, tuple[str, str]]:
    """Do something in both worlds; return what tells them apart for whom the secret is kept from."""
    for side in pair:
        deed(side)
    found = {}
    for who in kind.blind:
        first, second = (told(side, who, FILLED) for side in pair)
        found |= {f"{who}: {what}": (first[what], second[what]) for what in first if first[what] != second[what]}
    return found


def test_no_notice_of_an_unexplained_access_depends_on_a_secret(tmp_path):
    """A hidden submission names Dr Gil as its recipient; nobody is told that this explains an access of his."""
    with sides(tmp_path, MINORS) as pair:
        assert told_apart(pair, MINORS, unexplained) == {}


def test_the_leak_of_an_access_that_a_hidden_submission_explains_is_found(tmp_path, monkeypatch):
    """The fault is planted: detection counts what is hidden, as it did before."""
    monkeypatch.setattr(looks, "hidden_facts", lambda _snapshot, _record, _at: frozenset())
    with sides(tmp_path, MINORS) as pair:
        assert "marc: notices" in told_apart(pair, MINORS, looked_at)


def looked_at(side: Side) -> None:
    reads(side, "gil")
    for hours in (2, 7):
        side.runtime.ports.clock.at += timedelta(hours=hours)
        worker.build(side.runtime).work_once()


def unexplained(side: Side) -> None:
    """Let Dr Gil read on a word of his own, and the worker look at that hour twice; the patient is told."""
    looked_at(side)
    space = side.ids[side.space]
    assert "unexplained-access" in side.get(side.space, f"/Communication?patient={space}&_count=50").text


def consults_in_secret_and_is_contested(side: Side) -> None:
    """Let Ines show Dr Rosa a code for the secret, and contest that; an officer decides. All read the open things."""
    staff(side, "dana")
    side.professional("rosa", "10", "other")
    if side.has_secret:
        code = invite(side, "ines", "ines", document=[{"reference": f"DocumentReference/{side.ids['secret']}"}])
        assert redeem(side, "rosa", code).status_code == 200
        side.get("rosa", f"/DocumentReference/{side.ids['secret']}")
    told_of = side.found("ines", f"/Communication?patient={side.ids['ines']}&category=professional-let-in")
    assert len(told_of) == side.has_secret
    for notice in told_of:
        assert contest(side, notice, "ines").status_code == 200
        assert undo(side, notice, who="ines").status_code == 200
        assert contest(side, notice, "ines").status_code == 200
    for case in queued(side):
        look(side, case["id"])
        assert decide(side, case["id"], "not-justified").status_code == 200
    worker.build(side.runtime).work_once()


@pytest.mark.mongo
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_on_mongodb_too_both_worlds_tell_the_same(tmp_path, kind, on_mongodb):
    with sides(tmp_path, kind, on_mongodb) as pair:
        found = next(differences(pair, kind, TRIALS_ON_MONGODB, seed=8), None)
    assert found is None, f"{found.who}: {found.what}\n{found.without}\n---\n{found.with_it}\n{found.deeds}"


@pytest.mark.mongo
def test_the_leak_of_a_filter_on_mongodb_is_found(tmp_path, monkeypatch, on_mongodb):
    """The fault is planted: the filter of traces and notices does not ask what they are about."""
    monkeypatch.setattr(snapshot, "about_one", lambda ways, _documents: filters.clauses(ways))
    with sides(tmp_path, KINDS[0], on_mongodb) as pair:
        assert next(differences(pair, KINDS[0], TRIALS_ON_MONGODB, seed=8), None) is not None


@pytest.mark.parametrize("store", ENGINES)
def test_a_contest_in_secret_and_its_case_tell_a_parent_nothing(tmp_path, store, request):
    opened = request.getfixturevalue("on_mongodb") if store != "sqlite" else None
    with sides(tmp_path, MINORS, opened) as pair:
        assert told_apart(pair, MINORS, consults_in_secret_and_is_contested) == {}


def test_the_leak_of_a_contest_in_secret_is_found(tmp_path, monkeypatch):
    """The fault is planted: a contest is as open as any other, whatever it is about."""
    contested = contests._contested
    monkeypatch.setattr(contests, "_contested", lambda *asked: replace(contested(*asked), confidential=False))
    with sides(tmp_path, MINORS) as pair:
        found = told_apart(pair, MINORS, consults_in_secret_and_is_contested)
    assert {"marc: choices", "marc: notices"} <= found.keys()
