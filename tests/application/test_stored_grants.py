"""What a store keeps of a grant: names that every version reads, and purposes that a later version may add."""

from dataclasses import replace

import orjson
import pytest

from consent_rules.vocabulary import Purpose
from fhir_server.application.identity.access_tokens import ACCESS
from fhir_server.application.identity.grants import load_grant

STORED = {
    "id": "g1", "client_id": "app", "client_name": "App", "scopes": "patient/*.rs", "purpose": "PATRQT",
    "requester": {
        "kind": "patient", "person": "Patient/p", "role": "", "organization": "", "client": "Device/app",
        "profession": "", "specialty": "", "capacity": "", "vouched": False,
    },
    "audience": "http://localhost/fhir", "granted_at": "2026-03-02T09:00:00+00:00", "login": "camille", "subject": "s",
    "display": "Camille", "organization_display": "", "launch_patient": "p", "matrix_version": "", "expires": None,
    "context": {}, "details": [], "reason": "", "by_software": False, "jkt": "", "x5t": "", "used_at": None,
    "proof": {
        "at": "2026-03-02T08:59:00+00:00", "acr": "eidas2", "amr": ["pwd", "otp"], "session": "s1", "provider": "",
        "roles": [], "generation": 1,
    },
    "withheld": {"documents": ["d1"], "families": [], "kinds": []}, "choice": "c1", "ancestors": [], "actors": [],
}  # fmt: skip
"""A grant in the form that stores hold."""


def test_a_grant_is_read_and_written_under_the_names_that_stores_hold():
    assert orjson.loads(orjson.dumps(load_grant(orjson.dumps(STORED)))) == STORED


def test_a_purpose_that_the_rules_do_not_know_is_read_as_another_purpose():
    assert load_grant(orjson.dumps(STORED | {"purpose": "HRESCH"})).purpose is Purpose.OTHER


@pytest.mark.parametrize(("who", "status"), [("camille", 200), ("nour", 403), ("chu-ehr", 200)])
def test_a_purpose_that_the_rules_do_not_know_opens_nothing_to_professionals_and_breaks_no_request(world, who, status):
    vault, now = world.runtime.ports.vault, world.runtime.ports.clock.now()
    entry = vault.get(ACCESS, world.tokens[who], now)
    stored = orjson.loads(entry.value)
    stored["grant"]["purpose"] = "HRESCH"
    vault.replace(replace(entry, key=world.tokens[who], value=orjson.dumps(stored)))
    assert world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code == status
