"""docs/configuration.md has a heading for each variable that the settings read, and no other."""

import re

import pytest

from fhir_server.settings.server import Settings, SettingsError
from tests.conformance.project import modules, text_of

_LOCAL = {"HABILIS_BASE_URL": "http://127.0.0.1:8080"}


class _Recorder(dict):
    """An environment that remembers what it was asked for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked = set()

    def get(self, key, default=None):
        self.asked.add(key)
        return super().get(key, default)


def _headings():
    return re.findall(r"^## (HABILIS_[A-Z_]+)$", text_of("docs/configuration.md"), flags=re.MULTILINE)


def test_every_variable_that_is_read_has_a_heading_and_every_heading_is_read():
    environment = _Recorder()
    Settings.from_environment(environment)
    assert sorted(environment.asked) == sorted(_headings())


def test_no_module_names_a_variable_that_is_not_documented():
    named = {
        name
        for path in modules("fhir_server", "seed")
        for name in re.findall(r"\bHABILIS_[A-Z_]+[A-Z]", path.read_text())
    }
    assert named <= set(_headings())


def test_a_value_that_is_wrong_is_refused_by_the_name_of_its_variable():
    with pytest.raises(SettingsError, match="HABILIS_PORT"):
        Settings.from_environment({"HABILIS_PORT": "http"})


def test_the_demonstration_is_refused_where_others_can_reach_it():
    with pytest.raises(SettingsError, match="HABILIS_DEMO"):
        Settings.from_environment({**_LOCAL, "HABILIS_DEMO": "yes", "HABILIS_HOST": "0.0.0.0"})  # noqa: S104 - the unsafe case


def test_plain_http_is_refused_on_a_public_name():
    with pytest.raises(SettingsError, match="HABILIS_BASE_URL"):
        Settings.from_environment({"HABILIS_BASE_URL": "http://dossier.example"})
