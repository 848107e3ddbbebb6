"""Many ids show what each shows alone; to find them, the embedded store goes through the rows of a small space."""

import pytest

from consent_rules.visibility import Clause
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change
from tests.factories import Seen, a_document, a_trace, an_id, creating, deleted, following

SHOWN, HIDDEN = "11488-4", "34112-3"
ALL = 1000


@pytest.fixture(params=[6, 60], ids=["a small space", "a large space"])
def asked(request, store, patient):
    """Return ids of shown, hidden, deleted, foreign and unknown documents; those that are shown; the deleted one."""
    of_kind = {kind: [a_document(patient, kind) for _ in range(request.param)] for kind in (SHOWN, HIDDEN)}
    others = [a_document(an_id(), SHOWN) for _ in range(3)]
    store.commit(creating(*of_kind[SHOWN], *of_kind[HIDDEN]))
    store.commit_many([creating(one) for one in others])
    gone = of_kind[SHOWN][-1]
    store.commit(Change((a_trace(patient),), (following(gone, deleted(gone)),)))
    shown, hidden = of_kind[SHOWN][:5], of_kind[HIDDEN][:5]
    ids = {one.id for one in (*shown, *hidden, *others, gone)} | {an_id() for _ in range(3)}
    return frozenset(ids), {one.id for one in shown}, gone.id


def test_many_ids_show_what_each_shows_alone(store, patient, asked):
    ids, shown, gone = asked
    seen = Seen(patient, (Clause(frozenset({SHOWN})),))
    search = Search("DocumentReference", ids=ids, limit=ALL)
    with store.snapshot() as snapshot:
        alone = {one for one in ids if snapshot.visible_ids("DocumentReference", [one], seen)}
        assert alone == shown
        assert {row.id for row in snapshot.find(search, seen).rows} == shown
        assert snapshot.count(search, seen, ALL) == len(shown)
        assert snapshot.matching_ids(search, seen, ALL) == shown
        assert snapshot.visible_ids("DocumentReference", ids, seen) == shown
        assert snapshot.visible_ids("DocumentReference", ids, seen, gone=True) == shown | {gone}
