"""How often the database is asked: one statement more than here makes a test fail."""

from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.ports.store import Change, SpaceWrite, Write
from fhir_server.ports.vault import Secret
from tests.factories import AT, a_document, a_trace, all_of, an_id, creating

FIND = Search("DocumentReference", (AnyOf(frozenset({"type|s|a"})),), limit=20)


def counted(engine, work):
    work()  # what is done once, such as making a key, is done
    with engine.statements() as sent:
        work()
    return len(sent)


def test_a_decision_and_a_read_by_id(engine, patient):
    document = a_document(patient)
    engine.ports.store.commit(Change((a_trace(),), (Write(document, (0, 0)),), (SpaceWrite(patient, 0, b"state"),)))

    def read():
        with engine.ports.store.snapshot() as snapshot:
            assert snapshot.locate("DocumentReference", document.id)
            assert snapshot.load_space(patient)
            assert snapshot.read("DocumentReference", document.id, all_of(patient))

    assert counted(engine, read) == engine.framing + engine.statements_of_a_read


def test_a_page_and_its_count(engine, patient):
    engine.ports.store.commit(creating(*(a_document(patient, tokens=frozenset({"type|s|a"})) for _ in range(30))))

    def find():
        with engine.ports.store.snapshot() as snapshot:
            assert len(snapshot.find(FIND, all_of(patient)).rows) == 20
            assert snapshot.count(FIND, all_of(patient), 100) == 30

    assert counted(engine, find) == engine.framing + 2


def test_two_entries_of_the_vault_cost_what_one_costs(engine):
    vault, names = engine.ports.vault, [("code", an_id()), ("code", an_id())]
    vault.add(*(Secret(kind, key, b"value") for kind, key in names))

    def get(wanted):
        assert all(vault.get_all(wanted, AT))

    assert counted(engine, lambda: get(names)) == counted(engine, lambda: get(names[:1])) == 1


def test_a_trace(engine, patient):
    def commit():
        engine.ports.store.commit(Change((a_trace(patient),)))

    assert counted(engine, commit) <= engine.statements_of_a_trace
