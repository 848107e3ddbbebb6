"""Keys: made once, wrong ones stop the start, rotated without a stop, destroyed for ever; and what lies sealed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent_rules.vocabulary import Mark
from fhir_server.adapters import keys, opening
from fhir_server.adapters.keys import KeyFile, KeyProblem
from fhir_server.adapters.sealing import Keyring, Sealed, seal
from fhir_server.ports.store import Change, SpaceWrite, StoreUnavailable, Write
from fhir_server.ports.vault import Secret
from tests.factories import AT, a_document, a_trace, all_of, an_id, creating, following, next_version
from tests.holds import holds


def read(ports, document):
    with ports.store.snapshot() as snapshot:
        return snapshot.read(document.type, document.id, all_of(document.facts.access.compartment))


def test_a_key_file_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "folder" / "keys.json"
    opening.create_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(KeyProblem, match="exists already"):
        opening.create_keys(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_key_file_stops_the_start_and_says_what_to_do(fresh):
    with pytest.raises(KeyProblem, match="habilis keys create"):
        fresh.open(fresh.folder / "absent.json")


def test_a_wrong_key_file_stops_the_start(fresh):
    other = fresh.folder / "other.json"
    opening.create_keys(other)
    with pytest.raises(KeyProblem, match="not the one of these data"):
        fresh.open(other)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"not json", "no key file"),
        (b"[]", "no key file"),
        (b'{"format": 2, "keys": []}', "format 2"),
        (b'{"format": 1, "keys": []}', "damaged"),
        (b'{"format": 1, "keys": [{"id": "x", "key": "?"}]}', "no key file"),
        (b'{"format": 1, "keys": [{"id": "x", "key": "AAAA"}]}', "damaged"),
    ],
)
def test_a_file_that_is_no_key_file_is_named(tmp_path, content, text):
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(KeyProblem, match=text):
        KeyFile(path)


def test_a_key_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(KeyProblem, match="cannot be read"):
        KeyFile(tmp_path)


def test_the_cursor_key_is_the_same_for_all_processes_of_one_key_file(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    opening.create_keys(one)
    opening.create_keys(two)
    assert len(opening.cursor_key(one)) == 32
    assert opening.cursor_key(one) == opening.cursor_key(one) != opening.cursor_key(two)


def test_a_rotation_keeps_everything_readable_here_and_elsewhere(fresh, patient):
    document = a_document(patient, lookup=frozenset({"identifier|s|1"}))
    fresh.ports.store.commit(creating(document, claims=("claim",)))
    fresh.ports.vault.add(Secret("client", "key", b"value"))
    reference = fresh.ports.blobs.put(patient, b"content")
    before = fresh.key_file.read_bytes()
    assert fresh.rotate() >= 4
    assert fresh.key_file.read_bytes() != before
    later = a_document(patient)
    fresh.ports.store.commit(creating(later, a_document(an_id())))
    for ports in (fresh.ports, fresh.open()):
        assert read(ports, document) is not None
        assert read(ports, later) is not None
        assert ports.vault.get("client", "key", AT).value == b"value"
        assert ports.blobs.get(patient, reference) == b"content"
        with ports.store.snapshot() as snapshot:
            found = snapshot.compartments_with("DocumentReference", frozenset({"identifier|s|1"}), 9)
        assert found == ((patient, document.id),)


def test_after_a_rotation_the_new_key_is_enough(fresh, patient):
    document = a_document(patient)
    fresh.ports.store.commit(creating(document))
    fresh.rotate()
    alone = fresh.folder / "new_only.json"
    keys._write(alone, (KeyFile(fresh.key_file).active,))
    assert read(fresh.open(alone), document) is not None


def test_an_interrupted_rotation_is_finished_by_the_next(fresh, patient):
    document = a_document(patient)
    fresh.ports.store.commit(creating(document))
    keys.add_key(fresh.key_file)  # planted: a rotation cut off after its first step
    assert read(fresh.open(), document) is not None
    fresh.rotate()
    assert read(fresh.open(), document) is not None


def keyring_of(ports) -> Keyring:
    return ports.store._keyring


def test_destroying_the_key_of_a_space_erases_it_alone(fresh, patient):
    gone, stays = a_document(patient), a_document(an_id())
    fresh.ports.store.commit(creating(gone, stays))
    reference = fresh.ports.blobs.put(patient, b"content")
    wrapped = keyring_of(fresh.ports).shelf.newest(patient).wrapped
    assert wrapped in fresh.at_rest()
    assert keyring_of(fresh.ports).destroy(patient) == 1
    assert wrapped not in fresh.at_rest()
    for ports in (fresh.ports, fresh.open()):
        with pytest.raises(StoreUnavailable, match="gone"):
            read(ports, gone)
        with pytest.raises(StoreUnavailable, match="gone"):
            ports.blobs.get(patient, reference)
        assert read(ports, stays) is not None


def test_an_erased_space_may_be_opened_anew(fresh, patient):
    fresh.ports.blobs.put(patient, b"content")
    keyring_of(fresh.ports).destroy(patient)
    again = a_document(patient)
    fresh.ports.store.commit(creating(again))
    assert read(fresh.ports, again) is not None
    assert fresh.ports.blobs.get(patient, fresh.ports.blobs.put(patient, b"content")) == b"content"


@holds("AC47")
def test_bodies_contents_tokens_states_and_secrets_are_sealed_at_rest(fresh, patient):
    secret = "Camille-" + an_id()
    document = a_document(patient, tokens=frozenset({secret}), lookup=frozenset({secret}))
    document = replace(document, body=document.body + b" " + secret.encode())
    second = next_version(replace(document, body=document.body.removesuffix(b" " + secret.encode())))
    ports = fresh.ports
    ports.store.commit(creating(document, claims=(secret,)))
    ports.store.commit(
        Change(
            (a_trace(patient, tokens={secret}),),
            (following(document, second),),
            (SpaceWrite(patient, 0, secret.encode()),),
        )
    )
    ports.vault.add(Secret("token", secret, secret.encode(), secret, AT + timedelta(days=1)))
    ports.blobs.put(patient, secret.encode() * 10)
    kept = fresh.at_rest()
    assert patient.encode() in kept
    assert secret.encode() not in kept
    assert secret.encode("utf-16-le") not in kept


def test_equal_facts_of_two_patients_do_not_look_equal(fresh):
    tokens = frozenset({"type|s|rare"})
    hashes = fresh.ports.store._hashes
    one, two = (hashes.tokens(an_id(), tokens) for _ in range(2))
    assert one != two
    assert hashes.tokens("", tokens) == hashes.lookup(tokens)


def test_no_nonce_is_used_twice(fresh):
    key = keyring_of(fresh.ports).sealing("")
    nonces = {seal(key, Sealed("t", "i"), b"")[9:21] for _ in range(50_000)}
    assert len(nonces) == 50_000


def test_a_change_of_marks_needs_no_new_seal(fresh, patient):
    document = a_document(patient)
    fresh.ports.store.commit(creating(document))
    hidden = replace(document, mark=1, marked_at=AT, body=b"")
    hidden = replace(hidden, facts=replace(hidden.facts, access=replace(hidden.facts.access, marks=Mark.MASQUE_PS)))
    fresh.ports.store.commit(Change((a_trace(),), (Write(hidden, (1, 0)),)))
    assert read(fresh.ports, document).body == document.body
