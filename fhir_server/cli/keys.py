"""`habilis keys create|rotate|rotate-signing`, and the checks of the key file at a start."""

import stat
from pathlib import Path
from typing import Literal, get_args

import click

from fhir_server.adapters import opening
from fhir_server.application.core import operator_acts
from fhir_server.cli.operators import ANY_MATRIX, opened, takes_name, takes_settings
from fhir_server.oauth.base import keys as signing
from fhir_server.settings.server import Settings, SettingsError

_Action = Literal["create", "rotate", "rotate-signing"]
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@click.command()
@click.argument("action", metavar="ACTION", type=click.Choice(get_args(_Action)))
@takes_name
@takes_settings()
def keys(action: _Action, by: str, settings: Settings) -> None:
    """Make or replace the keys of the server.

    \b
    create          make the key file, with which the server encrypts the keys of the data
    rotate          put a new key into the key file, and encrypt the keys of the data with it
    rotate-signing  sign id_tokens with a new key; apps can still check the earlier tokens
    """  # noqa: D301 - click does not join lines below \b
    if action == "create":
        opening.create_keys(settings.key_file)
        _say(f"a key-encryption key was created in {settings.key_file}; keep it apart from the data")
        return
    with opened(settings, **ANY_MATRIX) as runtime:
        if action == "rotate-signing":
            _say(f"id_tokens are signed with key {signing.rotate_signing_key(runtime, by)} from now on")
            return
        operator_acts.record_new_keys(runtime, by)
    wrapped = opening.rotate_keys(place_of(settings))
    _say(f"a fresh key in {settings.key_file} wraps {wrapped} data keys now")


def _say(text: str) -> None:
    click.echo(f"habilis: {text}", err=True)


def place_of(settings: Settings) -> opening.SqlitePlace | opening.MongoPlace:
    """Return where the store is."""
    if settings.store == "mongodb":
        return opening.MongoPlace(settings.mongodb_uri.get_secret_value(), settings.mongodb_database, settings.key_file)
    return opening.SqlitePlace(settings.data_dir, settings.key_file)


def prepare(settings: Settings) -> str | None:
    """In production, check that only its owner may use the key file; for a new trial server, create the file.

    Return the text for the operator when a file was created.
    Raises: SettingsError.
    """
    if settings.is_production:
        _demand_private(settings.key_file)
    elif not settings.key_file.exists() and not any(settings.data_dir.glob("*.sqlite3")):
        opening.create_keys(settings.key_file)
        return f"habilis: made the key file {settings.key_file}, for trying things out"
    return None


def _demand_private(key_file: Path) -> None:
    if not key_file.exists():
        text = f"there is no key file {key_file}: set HABILIS_KEY_FILE to a path outside the data directory"
        raise SettingsError(f"{text}, and run `habilis keys create`")
    if key_file.stat().st_mode & _OTHERS:
        raise SettingsError(f"accounts other than its owner may use the key file: run chmod 600 {key_file}")
    if key_file.parent.stat().st_mode & _OTHERS:
        text = f"accounts other than its owner may use the folder of the key file: run chmod 700 {key_file.parent}"
        raise SettingsError(text)
