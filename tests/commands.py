"""Commands of `habilis` as an operator types them: how they find a server's data, and what they print."""

from collections.abc import Callable

import pytest

from fhir_server.cli import main
from fhir_server.settings.server import Settings

Run = Callable[..., tuple[int, str]]
"""Runs a command, given by its words; returns its status and what it printed, errors last."""


def beside(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the data of a server by the settings of their environment."""
    for name, value in {
        "HABILIS_DATA_DIR": settings.data_dir,
        "HABILIS_KEY_FILE": settings.key_file,
        "HABILIS_BASE_URL": settings.base_url,
        "HABILIS_ACCEPT_INFERRED_MATRIX": "yes",
        "HABILIS_LOG_LEVEL": "ERROR",
    }.items():
        monkeypatch.setenv(name, str(value))


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs commands of a test; no command shows a traceback."""

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main([*words])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out + printed.err

    return run
