"""Settings: unsafe combinations refuse to start and name the variable."""

from dataclasses import FrozenInstanceError, asdict, fields, replace
from importlib.resources import files

import pytest

from consent_rules.rule_profile import profile
from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from fhir_server.settings.server import VARIABLES, Settings, SettingsError
from tests.holds import holds

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
    ({"HABILIS_THREADS": "5.0"}, "HABILIS_THREADS must be a whole number"),
    ({"HABILIS_THREADS": "1_0"}, "HABILIS_THREADS must be a whole number"),
    ({"HABILIS_MAX_ENTRIES": "1e2"}, "HABILIS_MAX_ENTRIES must be a whole number"),
    ({"HABILIS_MAX_ENTRIES": "1_0"}, "HABILIS_MAX_ENTRIES must be a whole number"),
    ({"HABILIS_PSC_LEVEL": "high"}, "HABILIS_PSC_LEVEL must be"),
    ({"HABILIS_FRANCECONNECT_LEVEL": "eidas4"}, "HABILIS_FRANCECONNECT_LEVEL must be"),
    ({"HABILIS_DEMO": "perhaps"}, "HABILIS_DEMO"),
    ({"HABILIS_METRICS_PORT": "8080"}, "HABILIS_METRICS_PORT"),
    ({"HABILIS_METRICS_PORT": "metrics"}, "HABILIS_METRICS_PORT"),
    ({"HABILIS_DEMO": "yes", "HABILIS_METRICS_HOST": "192.0.2.1"}, "HABILIS_METRICS_HOST"),
    ({"HABILIS_RULE_PROFILE": "mars"}, "HABILIS_RULE_PROFILE"),
]


@holds("AC54")
@pytest.mark.parametrize(("environment", "named"), REFUSED)
def test_an_unsafe_setting_refuses_to_start_and_names_the_variable(environment, named):
    with pytest.raises(SettingsError, match=named):
        Settings.from_environment(environment)


def test_a_rule_profile_is_named_or_a_file():
    for said, kept in (("EHDS", "ehds"), ("/etc/habilis/own.toml", "/etc/habilis/own.toml")):
        assert Settings.from_environment({"HABILIS_RULE_PROFILE": said}).rule_profile == kept


def test_a_rule_profile_of_ones_own_is_served(settings, tmp_path):
    path = tmp_path / "own.toml"
    text = (files("consent_rules") / "data" / "countries" / "fr.toml").read_text("utf-8")
    key = "minor_limits_representatives"
    path.write_text(text.replace(f"{key} = false", f"{key} = true").replace('name = "fr"', 'name = "own"'), "utf-8")
    opening.create_keys(settings.key_file)
    served = build_runtime(replace(settings, rule_profile=str(path)))
    served.ports.store.close()
    assert served.profile == replace(profile("fr"), name="own", minor_limits_representatives=True)


@pytest.mark.parametrize("text", [None, "name = 1", "name"])
def test_a_rule_profile_that_cannot_be_used_stops_the_start_before_a_store_is_opened(settings, tmp_path, text):
    path = tmp_path / "own.toml"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match="HABILIS_RULE_PROFILE: "):
        build_runtime(replace(settings, rule_profile=str(path)))
    assert not settings.data_dir.exists()


def test_the_defaults_serve_this_machine_only():
    settings = Settings.from_environment({})
    assert (settings.host, settings.demo, settings.fhir_base) == ("127.0.0.1", False, "http://127.0.0.1:8080/fhir")


def test_a_secret_does_not_show_in_a_representation():
    settings = Settings.from_environment({"HABILIS_MONGODB_URI": "mongodb://u:hush@127.0.0.1"})
    assert "hush" not in repr(settings)
    assert "hush" not in f"{settings.mongodb_uri}"


_SWITCHES = {
    "HABILIS_BASE_URL": "http://localhost:8080",
    "HABILIS_BRAND_NAME": "Santé", "HABILIS_BRAND_WEBSITE": "https://sante.example",
    **{f"HABILIS_{id_}_{name}": f"https://{id_}.example"
       for id_ in ("PSC", "FRANCECONNECT") for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")},
    "HABILIS_MAIL_HOST": "mail.example", "HABILIS_MAIL_FROM": "space@mail.example",
    "HABILIS_SECURITY_CONTACT": "mailto:security@mail.example", "HABILIS_SECURITY_EXPIRES": "2027-06-30T00:00:00Z",
}  # fmt: skip
ANY_TEXT = frozenset(
    f"HABILIS_{name}"
    for name in (
        "BRAND_NAME", "DATA_DIR", "FRANCECONNECT_CLIENT_ID", "FRANCECONNECT_CLIENT_SECRET", "HOST", "KEY_FILE",
        "MAIL_CA_FILE", "MAIL_FROM_NAME", "MAIL_HOST", "MAIL_PASSWORD", "MAIL_USER",
        "MATRIX_DIR", "METRICS_HOST", "MONGODB_DATABASE", "MONGODB_URI", "PSC_CLIENT_ID", "PSC_CLIENT_SECRET",
        "TIME_ZONE",
    )
)  # fmt: skip


@pytest.mark.parametrize("variable", sorted(set(VARIABLES) - ANY_TEXT - {"HABILIS_FORWARDED_HEADER"}))
def test_an_error_names_the_variable_in_one_line_and_never_shows_its_value(variable):
    with pytest.raises(SettingsError, match=f"{variable} ") as refused:
        Settings.from_environment(_SWITCHES | {variable: " hush hush"})
    assert "hush" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("variable", sorted(ANY_TEXT))
def test_a_text_is_taken_as_it_is_without_the_blanks_around_it(variable):
    settings = Settings.from_environment(_SWITCHES | {variable: " hush hush "})
    assert "hush hush" in repr(asdict(settings) | {"mongodb_uri": settings.mongodb_uri.get_secret_value()})


def test_a_setting_of_mails_without_a_mail_server_is_refused():
    with pytest.raises(SettingsError, match="HABILIS_MAIL_HOST is required when HABILIS_MAIL_FROM is set"):
        Settings.from_environment({"HABILIS_MAIL_FROM": "space@mail.example"})


def test_settings_cannot_be_changed():
    settings = Settings.from_environment({})
    for changed in (settings, settings.limits, settings.proxies):
        with pytest.raises(FrozenInstanceError):
            setattr(changed, fields(changed)[0].name, "x")


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
def test_an_https_address_is_guarded_however_it_is_spelt(scheme):
    settings = Settings.from_environment({"HABILIS_BASE_URL": f"{scheme}://dossiers.example/"})
    assert (settings.is_production, settings.professional_level) == (True, "eidas2")
    assert settings.fhir_base == "https://dossiers.example/fhir"
    with pytest.raises(SettingsError, match="HABILIS_TRUSTED_PROXIES"):
        settings.refuse_unsafe_serving()
