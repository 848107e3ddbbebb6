"""One rule, three renderings: what the stores show is what `admits` and `matches` say, on generated documents."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_rules.visibility import Clause, Extent
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, Write
from tests.factories import Seen, a_document, a_list, a_trace, an_id, creating
from tests.ports import generated

ON_REAL_STORES = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ALL = 1000


def kept(store, patient, drawn):
    """Give drawn documents a compartment and commit them."""
    population = [
        replace(one, facts=replace(one.facts, access=replace(one.facts.access, compartment=patient))) for one in drawn
    ]
    store.commit(Change((a_trace(),), tuple(Write(one, (0, 0)) for one in population)))
    return population


def all_pages(snapshot, search, visibility):
    found, place = [], None
    while True:
        page = snapshot.find(replace(search, after=place), visibility)
        assert len(page.rows) <= search.limit
        found += page.rows
        if page.next is None:
            return found
        assert page.next.id == page.rows[-1].id
        place = page.next


@ON_REAL_STORES
@given(st.lists(generated.documents(), max_size=12), st.lists(generated.clauses, max_size=3), generated.searches)
def test_pages_and_counts_show_what_the_rule_admits(store, drawn, clauses, search):
    patient = an_id()
    population = kept(store, patient, drawn)
    visibility = Seen(patient, tuple(generated.naming(clause, population) for clause in clauses))
    wanted = generated.expected(population, search, visibility)
    with store.snapshot() as snapshot:
        assert [row.id for row in all_pages(snapshot, search, visibility)] == wanted
        assert snapshot.count(search, visibility, ALL) == len(wanted)
        everything = {one.id for one in population}
        seen = {one.id for one in population if visibility.admits(one.facts.access)}
        assert snapshot.visible_ids("DocumentReference", everything, visibility) == seen
        by_id = {one.id for one in population if snapshot.read("DocumentReference", one.id, visibility)}
        assert by_id == seen


@ON_REAL_STORES
@given(
    st.lists(generated.documents(), min_size=1, max_size=6),
    st.lists(st.tuples(st.sets(st.integers(0, 5)), generated.access), max_size=5),
    st.lists(generated.clauses, max_size=2),
)
def test_lists_show_when_the_rule_admits_one_document_or_the_depositor(store, drawn, gatherings, clauses):
    patient = an_id()
    population = kept(store, patient, drawn)
    lists = []
    for members, access in gatherings:
        ids = [population[number].id for number in sorted(members) if number < len(population)]
        gathering = a_list(patient, ids)
        own = replace(access, compartment=patient)
        lists.append(replace(gathering, facts=replace(gathering.facts, access=own)))
    store.commit(Change((a_trace(),), tuple(Write(one, (0, 0)) for one in lists)))
    visibility = Seen(patient, tuple(generated.naming(clause, population) for clause in clauses))
    seen = {one.id for one in population if visibility.admits(one.facts.access)}
    wanted = {one.id for one in lists if shows(one, seen, visibility)}
    with store.snapshot() as snapshot:
        found = snapshot.find(Search("List", limit=ALL), visibility).rows
        assert {row.id for row in found} == wanted
        assert snapshot.count(Search("List"), visibility, ALL) == len(wanted)
        assert {one.id for one in lists if snapshot.read("List", one.id, visibility)} == wanted
        assert snapshot.visible_ids("List", [one.id for one in lists], visibility) == wanted


def shows(gathering, seen, visibility):
    """Tell what the contract of Facts.documents says of a List."""
    if not gathering.facts.documents:
        return visibility.admits(gathering.facts.access)
    owning = Seen(visibility.compartment, tuple(c for c in visibility.clauses if c.owned_by is not None))
    return bool(seen & set(gathering.facts.documents)) or owning.admits(gathering.facts.access)


def test_many_extents_are_one_query(store, patient):
    """A patient who withholds a thousand classes of documents does not make a query too deep for any store."""
    shown, kept = a_document(patient, dates={"date": (0, 1)}), a_document(patient, dates={"date": (5, 6)})
    store.commit(creating(shown, kept))
    barred = tuple(Extent(since=5, until=6 + number) for number in range(1500))
    named = Extent(documents=frozenset(str(number) for number in range(5000)))
    visibility = Seen(patient, (Clause(barred=(*barred, named)),))
    with store.snapshot() as snapshot:
        assert [row.id for row in snapshot.find(Search("DocumentReference"), visibility).rows] == [shown.id]
        assert snapshot.count(Search("DocumentReference"), visibility, ALL) == 1


@ON_REAL_STORES
@given(
    st.lists(generated.documents(), min_size=1, max_size=6),
    st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=5),
    st.lists(generated.clauses, max_size=2),
)
def test_a_trace_shows_when_the_reader_sees_a_document_that_it_is_about(store, drawn, subjects, clauses):
    """6 stands for a document that nobody has; a deleted one counts as long as its last version was seen."""
    patient = an_id()
    population = kept(store, patient, drawn)
    gone = replace(population[0], version=population[0].version + 1, deleted=True, body=b"")
    store.commit(Change((a_trace(),), (Write(gone, (population[0].version, population[0].mark)),)))
    ids = [*(one.id for one in population), *([an_id()] * 6)]
    about = [tuple(ids[number] for number in sorted(subject)) for subject in subjects]
    plain = [a_trace(patient).event for _ in about]
    events = [replace(one, facts=replace(one.facts, documents=names)) for one, names in zip(plain, about, strict=True)]
    store.commit(Change(tuple(replace(a_trace(patient), event=event) for event in events)))
    seeing = tuple(generated.naming(clause, population) for clause in clauses)
    seen = {one.id for one in population if Seen(patient, seeing).admits(one.facts.access)}
    visibility = Seen(patient, (Clause(of_seen=True),), seeing)
    wanted = {one.id for one in events if not one.facts.documents or seen & set(one.facts.documents)}
    with store.snapshot() as snapshot:
        assert {row.id for row in snapshot.find(Search("AuditEvent", limit=ALL), visibility).rows} == wanted
        assert snapshot.count(Search("AuditEvent"), visibility, ALL) == len(wanted)
        assert {one.id for one in events if snapshot.read("AuditEvent", one.id, visibility)} == wanted
        assert snapshot.visible_ids("AuditEvent", [one.id for one in events], visibility) == wanted


@ON_REAL_STORES
@given(
    st.lists(generated.documents(), min_size=1, max_size=6),
    st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=5),
    st.lists(generated.clauses, max_size=2),
)
def test_a_notice_that_a_result_waits_shows_while_one_is_there_that_only_waits(store, drawn, subjects, clauses):
    """The seal of a document does not count, its deletion does; 6 stands for a document that nobody has."""
    patient = an_id()
    population = kept(store, patient, drawn)
    gone = replace(population[0], version=population[0].version + 1, deleted=True, body=b"")
    store.commit(Change((a_trace(),), (Write(gone, (population[0].version, population[0].mark)),)))
    ids = [*(one.id for one in population), *([an_id()] * 6)]
    about = [tuple(ids[number] for number in sorted(subject)) for subject in subjects]
    plain = [a_trace(patient).event for _ in about]
    notices = [replace(one, facts=replace(one.facts, documents=names)) for one, names in zip(plain, about, strict=True)]
    store.commit(Change(tuple(replace(a_trace(patient), event=notice) for notice in notices)))
    seeing = tuple(generated.naming(clause, population) for clause in clauses)
    unsealed = Seen(patient, tuple(clause._replace(unsealed_at=None) for clause in seeing))
    there = {one.id for one in population[1:] if unsealed.admits(one.facts.access)}
    visibility = Seen(patient, (Clause(of_waiting=True),), seeing)
    wanted = {one.id for one in notices if not one.facts.documents or there & set(one.facts.documents)}
    with store.snapshot() as snapshot:
        assert {row.id for row in snapshot.find(Search("AuditEvent", limit=ALL), visibility).rows} == wanted
        assert snapshot.count(Search("AuditEvent"), visibility, ALL) == len(wanted)
        assert {one.id for one in notices if snapshot.read("AuditEvent", one.id, visibility)} == wanted
        assert snapshot.visible_ids("AuditEvent", [one.id for one in notices], visibility) == wanted
