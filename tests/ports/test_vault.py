"""Promises of Vault: each method whole, durable, and for one caller only."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from fhir_server.ports.vault import Secret, put_unless_held
from tests.factories import AT, an_id

THREADS = 64
SOON = AT + timedelta(seconds=1)


def a_secret(**more):
    fields = {"kind": "code", "key": an_id(), "value": b"value"}
    return Secret(**{**fields, **more})


@pytest.fixture
def vault(ports):
    return ports.vault


def test_what_is_added_is_given_back(vault):
    secret = a_secret(group=an_id(), expires=SOON)
    assert vault.add(secret)
    assert vault.get(secret.kind, secret.key, AT) == secret
    assert vault.get("other", secret.key, AT) is None
    assert vault.get(secret.kind, an_id(), AT) is None


def test_several_are_given_back_in_the_order_asked(vault):
    one, other = a_secret(), a_secret(kind="other", expires=SOON)
    vault.add(one, other)
    names = [(other.kind, other.key), ("code", an_id()), (one.kind, one.key), (one.kind, other.key)]
    assert vault.get_all(names, AT) == (other, None, one, None)
    assert vault.get_all(names, SOON) == (None, None, one, None)
    assert vault.get_all([(one.kind, one.key)] * 2, AT) == (one, one)


def test_an_entry_that_is_there_is_not_added_again(vault):
    secret = a_secret()
    assert [vault.add(secret), vault.add(replace(secret, value=b"other"))] == [True, False]
    assert vault.get(secret.kind, secret.key, AT) == secret
    assert vault.add()


def test_a_secret_may_live_on_and_be_empty(vault):
    secret = a_secret(value=b"")
    vault.add(secret)
    assert vault.get(secret.kind, secret.key, AT + timedelta(days=36500)) == secret


def test_all_entries_are_added_or_none(vault):
    there, new = a_secret(), a_secret()
    vault.add(there)
    assert not vault.add(new, replace(there, value=b"other"))
    assert vault.get(new.kind, new.key, AT) is None
    assert vault.get(there.kind, there.key, AT) == there
    assert not vault.add(new, new)


def test_an_expired_entry_counts_as_absent(vault):
    secret = a_secret(expires=SOON, group=an_id())
    vault.add(secret)
    assert vault.get(secret.kind, secret.key, SOON - timedelta(microseconds=1)) == secret
    assert vault.get(secret.kind, secret.key, SOON) is None
    assert vault.take(secret.kind, secret.key, SOON) is None
    assert vault.entries(secret.kind, SOON, secret.group) == ()


def test_an_entry_takes_the_place_of_an_expired_one_alone(vault):
    first = a_secret(expires=SOON)
    second = replace(first, value=b"second", expires=SOON + timedelta(days=1))
    assert [put_unless_held(vault, first, AT), put_unless_held(vault, second, AT)] == [True, False]
    assert vault.get(first.kind, first.key, AT) == first
    assert put_unless_held(vault, second, SOON)
    assert vault.get(second.kind, second.key, SOON) == second


def test_an_entry_is_taken_once(vault):
    secret = a_secret()
    vault.add(secret)
    assert vault.take(secret.kind, secret.key, AT) == secret
    assert vault.take(secret.kind, secret.key, AT) is None
    assert vault.get(secret.kind, secret.key, AT) is None
    assert vault.add(secret)


def test_a_replacement_needs_the_revision(vault):
    secret = a_secret()
    vault.add(secret)
    renewed = replace(secret, value=b"new", group=an_id(), expires=SOON)
    assert vault.replace(renewed)
    assert vault.get(secret.kind, secret.key, AT) == replace(renewed, revision=2)
    assert not vault.replace(renewed)
    assert vault.replace(replace(secret, revision=2))
    assert not vault.replace(a_secret())
    assert len(vault.entries(secret.kind, AT, renewed.group)) == 0


def test_an_entry_is_dropped_once(vault):
    secret = a_secret()
    vault.add(secret)
    assert vault.drop(secret.kind, secret.key)
    assert not vault.drop(secret.kind, secret.key)


def test_a_group_is_dropped_together(vault):
    group, other = an_id(), an_id()
    token, refresh, stays = (
        a_secret(kind="token", group=group),
        a_secret(kind="refresh", group=group),
        a_secret(group=other),
    )
    vault.add(token, refresh, stays)
    assert vault.drop_group(group, ["token", "absent"]) == 1
    assert vault.get(token.kind, token.key, AT) is None
    assert vault.drop_group(group) == 1
    assert vault.drop_group(group) == 0
    assert vault.get(stays.kind, stays.key, AT) == stays


def test_entries_of_a_kind_come_without_their_keys(vault):
    kind, group = an_id(), an_id()
    one, two = a_secret(kind=kind, value=b"1", group=group), a_secret(kind=kind, value=b"2")
    vault.add(one, two)
    everything = vault.entries(kind, AT)
    assert {(entry.key, entry.value, entry.group) for entry in everything} == {("", b"1", group), ("", b"2", "")}
    assert [entry.value for entry in vault.entries(kind, AT, group)] == [b"1"]
    assert [entry.value for entry in vault.entries(kind, AT, "")] == [b"2"]


def test_purge_removes_what_has_expired(vault):
    vault.purge(AT)
    gone, stays = a_secret(expires=AT), a_secret(expires=SOON)
    vault.add(gone, stays)
    assert vault.purge(AT) == 1
    assert vault.get(stays.kind, stays.key, AT) == stays
    assert vault.add(gone)
    vault.purge(AT)


def race(task):
    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(task, number) for number in range(THREADS)]]


def test_of_many_takers_one_gets_it(vault):
    secret = a_secret()
    vault.add(secret)
    taken = race(lambda _: vault.take(secret.kind, secret.key, AT))
    assert [one for one in taken if one] == [secret]


def test_of_many_adders_one_succeeds(vault):
    key = an_id()
    added = race(lambda number: vault.add(a_secret(), a_secret(key=key, value=str(number).encode())))
    assert added.count(True) == 1
    assert vault.get("code", key, AT).value == str(added.index(True)).encode()


def test_of_many_replacers_one_succeeds(vault):
    secret = a_secret()
    vault.add(secret)
    assert race(lambda number: vault.replace(replace(secret, value=str(number).encode()))).count(True) == 1
    assert vault.get(secret.kind, secret.key, AT).revision == 2


def test_of_many_droppers_one_succeeds(vault):
    secret = a_secret()
    vault.add(secret)
    assert race(lambda _: vault.drop(secret.kind, secret.key)).count(True) == 1
