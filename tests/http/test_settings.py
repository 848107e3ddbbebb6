"""Settings: unsafe combinations refuse to start and name the variable."""

import pytest

from fhir_server.settings import Secret, Settings, SettingsError

REFUSED = [
    ({"HABILIS_BASE_URL": "dossiers.example"}, "HABILIS_BASE_URL"),
    ({"HABILIS_BASE_URL": "http://dossiers.example"}, "HABILIS_BASE_URL"),
    ({"HABILIS_BASE_URL": "https://dossiers.example", "HABILIS_DEMO": "yes"}, "HABILIS_DEMO"),
    ({"HABILIS_HOST": "192.0.2.1", "HABILIS_BASE_URL": "http://localhost:8080", "HABILIS_DEMO": "yes"}, "HABILIS_DEMO"),
    ({"HABILIS_STORE": "mongodb"}, "HABILIS_MONGODB_URI"),
    ({"HABILIS_STORE": "oracle"}, "HABILIS_STORE"),
    ({"HABILIS_PORT": "eighty"}, "HABILIS_PORT"),
    ({"HABILIS_PORT": "0"}, "HABILIS_PORT"),
    ({"HABILIS_THREADS": "70000"}, "HABILIS_THREADS"),
    ({"HABILIS_DEMO": "perhaps"}, "HABILIS_DEMO"),
    ({"HABILIS_RULE_PROFILE": "mars"}, "HABILIS_RULE_PROFILE"),
]


@pytest.mark.parametrize(("environment", "named"), REFUSED)
def test_an_unsafe_setting_refuses_to_start_and_names_the_variable(environment, named):
    with pytest.raises(SettingsError, match=named):
        Settings.from_environment(environment)


def test_the_defaults_serve_this_machine_only():
    settings = Settings.from_environment({})
    assert (settings.host, settings.demo, settings.fhir_base) == ("127.0.0.1", False, "http://127.0.0.1:8080/fhir")


def test_a_secret_does_not_show_in_a_representation():
    settings = Settings.from_environment({"HABILIS_MONGODB_URI": "mongodb://u:hush@127.0.0.1"})
    assert "hush" not in repr(settings)
    assert isinstance(settings.mongodb_uri, Secret)
