"""The types of ids hold: mypy refuses a reference, or the name of an account, where the id of a patient belongs."""

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
