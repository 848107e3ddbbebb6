"""Non-interference of trail, journal, notices and totals: what a secret leaves for whom it is kept from is nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.adapters.mongo import filters, snapshot
from fhir_server.application.core import notices_owed
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import search
from fhir_server.domain.audit import audit_event
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.surroundings import Ports
from tests.adversarial.two_worlds import BATCH, KINDS, differences, sides, unknown_names
from tests.engines import MongoEngine, MongoServer
from tests.holds import holds

TRIALS = 400
"""Deeds for each of five kinds of secrets: 2,000 together."""
TRIALS_SEALED = 80
"""Deeds for the kind that changes while it waits: what it may leave is there before the first of them."""
TRIALS_ON_MONGODB = 20


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
        found = next(differences(pair, kind, TRIALS_SEALED if kind.sealed else TRIALS, seed=8), None)
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

    def forgetful(*notice, documents, **more):
        assert documents
        return stored(*notice, **more)

    monkeypatch.setattr(notices_owed, "stored", forgetful)
    (kind,) = (kind for kind in KINDS if kind.sealed)
    with sides(tmp_path, kind) as pair:
        found = next(differences(pair, kind, BATCH, seed=8), None)
    assert found is not None
    assert (found.who, found.what) == ("marc", "notices")


def test_the_secret_is_noticed_by_whoever_may_know_it(tmp_path):
    """The control: the same comparison for somebody who may know finds the difference."""
    kind = replace(KINDS[0], blind=("ines",))
    with sides(tmp_path, kind) as pair:
        assert next(differences(pair, kind, 40, seed=8), None) is not None


def test_the_leak_of_a_record_of_deposit_that_comes_with_a_search_is_found(tmp_path, monkeypatch):
    """The fault is planted: `_revinclude` brings whatever refers to a document, whoever sees it."""
    monkeypatch.setattr(search, "_including", _everything_included)
    with sides(tmp_path, KINDS[-1]) as pair:
        found = next(differences(pair, KINDS[-1], 40, seed=8), None)
    assert found is not None
    assert found.what == "documents with records"


def _everything_included(access, wanted, _shown, _filters):
    everything = whole_space(ReadingReason.REGISTERED, access.entered.patient)
    rows = access.snapshot.find(Search(wanted.including[0].partition(":")[0], limit=200), everything).rows
    return search.present(access, rows, everything)


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
