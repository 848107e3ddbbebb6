"""`habilis users add --operator`: an account that runs the server and is nothing else."""

import io

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.app import build_runtime
from fhir_server.application.identity.accounts import find_account
from fhir_server.cli import main
from tests.factories import settings_in


@pytest.fixture
def add(tmp_path, monkeypatch, capsys):
    """Run `habilis users add oscar` with more options; return its status and what it says."""
    settings = settings_in(tmp_path)
    told = {"BASE_URL": settings.base_url, "DATA_DIR": settings.data_dir, "KEY_FILE": settings.key_file}
    for name, value in (told | {"ACCEPT_INFERRED_MATRIX": "yes"}).items():
        monkeypatch.setenv(f"HABILIS_{name}", str(value))
    assert main(["keys", "create"]) == 0

    def run(*more):
        monkeypatch.setattr("sys.stdin", io.StringIO("nine green bicycles\n"))
        status = main(["users", "add", "oscar", "--display", "Oscar Nunez", *more])
        said = capsys.readouterr()
        return status, said.out + said.err, settings

    return run


def test_a_command_makes_an_operator_who_acts_for_nobody(add):
    status, said, settings = add("--operator")
    assert (status, "code for a first second factor of oscar" in said) == (0, True)
    runtime = build_runtime(settings)
    account = find_account(runtime, "oscar")
    runtime.ports.store.close()
    assert (account.kind, account.patients, account.practices) == (RequesterKind.SUPPORT, (), ())
    assert account.person.startswith("Device/")


@pytest.mark.parametrize("more", [("--auditor",), ("--patient", "x"), ("--practitioner", "x"), ("--national-id", "8")])
def test_an_operator_is_nothing_else(add, more):
    status, said, _ = add("--operator", *more)
    assert status != 0
    assert "an operator's account is nothing else" in said
