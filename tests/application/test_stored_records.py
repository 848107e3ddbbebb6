"""Records of the vault that commit 0e11f7f wrote are read with every member that the program still knows.

records_of_0e11f7f.json holds what that program stored for invented people, by kind of record.
"""

import json
from pathlib import Path

import orjson
import pytest

from consent_rules.vocabulary import Capacity, Purpose, RequesterKind
from fhir_server.application.core import lockdown
from fhir_server.application.identity import access_tokens, accounts, clients, grants
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.clients import AuthMethod
from fhir_server.domain.values import Json
from fhir_server.oauth.authorize import interactions
from fhir_server.oauth.base.options import Options
from fhir_server.oauth.granted import launches, records, tokens
from fhir_server.oauth.login import passkeys, sessions
from fhir_server.ports.vault import Secret
from tests.conftest import START

RECORDS = json.loads(Path(__file__).with_name("records_of_0e11f7f.json").read_text())
FORGOTTEN = {"client": {"purpose"}, "code": {"until"}}
"""Members that no version reads any more."""


@pytest.fixture
def put(runtime):
    """Put a record into the vault, as the earlier version stored it."""

    def put(kind: str, record: str, key: str = "key", group: str = "") -> Json:
        runtime.ports.vault.add(Secret(kind, key, orjson.dumps(RECORDS[record]), group))
        return {name: value for name, value in RECORDS[record].items() if name not in FORGOTTEN.get(record, ())}

    return put


def holds_all(found: object, stored: object) -> bool:
    """Tell whether a record, written again, has every member that was stored, with the same value."""
    if isinstance(stored, dict):
        return isinstance(found, dict) and all(holds_all(found.get(name), value) for name, value in stored.items())
    return found == stored


def written(found: object) -> object:
    return orjson.loads(orjson.dumps(found, default=lambda _: None))


def test_an_account(runtime, put):
    stored = put(accounts.KIND, "account", "nour")
    account = accounts.find_account(runtime, "nour")
    assert holds_all(written(account), stored["account"])
    assert (account.kind, account.practices[0].capacity) == (
        RequesterKind.PROFESSIONAL,
        Capacity.OCCUPATIONAL_PHYSICIAN,
    )
    assert accounts.has_password(runtime, account)


def test_a_client(runtime, put):
    stored = put(clients.KIND, "client", "chu-ehr")
    client = clients.find(runtime, "chu-ehr")
    assert holds_all(written(client), stored)
    assert client.auth_method is AuthMethod.PRIVATE_KEY_JWT


@pytest.mark.parametrize(("record", "purpose"), [("grant", Purpose.TREATMENT), ("grant_bare", Purpose.PATIENT_REQUEST)])
def test_a_grant(runtime, put, record, purpose):
    stored = put(grants.GRANT, record)
    grant = grants.find_grant(runtime, "key")
    assert holds_all(written(grant), stored)
    assert grant.purpose is purpose


def test_an_access_token(runtime, put):
    stored = put(access_tokens.ACCESS, "access")
    assert holds_all(written(access_tokens.find_used(runtime, "key")[0]), stored)


def test_a_code(runtime, put):
    stored = put(records.CODE, "code")
    assert holds_all(written(tokens.find_code(runtime, "key")), stored)


def test_a_refresh_token(runtime, put):
    put(records.REFRESH, "refresh")
    refresh = records.find_refresh(runtime, "key", START)
    assert (refresh.grant_id, refresh.client_id, refresh.spent, refresh.view) == ("g1", "app", False, None)


def test_a_session(runtime, put):
    put(accounts.KIND, "account", "nour")
    stored = put(sessions.KIND, "session")
    session = sessions.find_session(runtime, Options(), "key")
    assert holds_all(written(session.proof), stored["proof"])
    assert (session.id, session.csrf, session.account.login) == ("s1", "c", "nour")


@pytest.mark.parametrize("record", ["passkey", "passkey_unused"])
def test_a_passkey(runtime, put, record):
    owner = Account("nour", RequesterKind.PROFESSIONAL, "Practitioner/1", "Nour", subject="s")
    stored = put("passkey", record, group="passkeys:s")
    assert [written(one) for one in passkeys.of(runtime, owner)] == [stored]


def test_a_launch(runtime, put):
    stored = put(launches.KIND, "launch")
    client = clients.Client("app", "App", clients.ClientKind.PROFESSIONAL_APP)
    assert written(launches.find_launch(runtime, "key", client)) == stored


@pytest.mark.parametrize("record", ["interaction", "interaction_bare"])
def test_a_conversation(runtime, put, record):
    stored = put(interactions.KIND, record)
    entry = runtime.ports.vault.get(interactions.KIND, "key", START)
    assert holds_all(written(interactions._DECODER.decode(entry.value)), stored)


def test_a_lockdown(runtime, put):
    stored = put(*lockdown.NAME[:1], "lockdown", lockdown.NAME[1])
    assert written(lockdown.find(runtime)) == stored
