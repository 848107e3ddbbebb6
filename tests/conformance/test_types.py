"""The types of ids hold: mypy refuses a reference or a login as the id of a patient, and an app's name as its id."""

import pytest
from mypy import api

from tests.conformance.project import ROOT

PATIENT = "from consent_rules.vocabulary import PatientId\nfrom fhir_server.ports.store import Snapshot\n"
MIXED_UP = {
    "a reference": 'def read(snapshot: Snapshot) -> None:\n    snapshot.load_space("Patient/1")\n',
    "the id of any resource": "def read(snapshot: Snapshot, id_: str) -> None:\n    snapshot.load_space(id_)\n",
    "a login": "from fhir_server.application.identity.accounts import Account\n\n"
    "def read(snapshot: Snapshot, account: Account) -> None:\n    snapshot.load_space(account.login)\n",
}
OTHERS = {
    "an app's name for its id": "from fhir_server.application.identity.clients import Client, find\n"
    "from fhir_server.application.core.runtime import Runtime\n\n"
    "def look(runtime: Runtime, client: Client) -> None:\n    find(runtime, client.name)\n",
    "an app's id for a grant's": "from fhir_server.application.identity.grants import Grant, find_grant\n"
    "from fhir_server.application.core.runtime import Runtime\n\n"
    "def look(runtime: Runtime, grant: Grant) -> None:\n    find_grant(runtime, grant.client_id)\n",
}
RIGHT = "def read(snapshot: Snapshot, patient: PatientId) -> None:\n    snapshot.load_space(patient)\n"


def found_by_mypy(tmp_path, text):
    """Return what mypy, with our settings and its cache, says of a module."""
    module = tmp_path / "planted.py"
    module.write_text(PATIENT + text)
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    return api.run([*settings, str(module)])[0]


def test_the_id_of_a_patient_opens_a_space(tmp_path):
    assert "Success" in found_by_mypy(tmp_path, RIGHT)


@pytest.mark.parametrize("mixed_up", MIXED_UP)
def test_what_is_no_id_of_a_patient_is_refused_by_mypy(tmp_path, mixed_up):
    assert 'expected "PatientId"' in found_by_mypy(tmp_path, MIXED_UP[mixed_up])


@pytest.mark.parametrize("mixed_up", OTHERS)
def test_an_app_and_a_grant_are_told_apart_by_mypy(tmp_path, mixed_up):
    assert "[arg-type]" in found_by_mypy(tmp_path, OTHERS[mixed_up])
