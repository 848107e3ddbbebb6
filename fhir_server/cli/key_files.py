"""`habilis keys create|rotate|rotate-signing`, and the checks of the key file at a start."""

import argparse
import stat
import sys
from dataclasses import replace
from pathlib import Path

from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from fhir_server.application.core import operator_acts
from fhir_server.cli.emergencies import account
from fhir_server.oauth.base import keys as signing
from fhir_server.settings.server import Settings, SettingsError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_DEEDS = {
    "create": "make the key file",
    "rotate": "wrap all data keys with a fresh key-encryption key",
    "rotate-signing": f"sign id_tokens with a fresh key; the old one stays published for {signing.OVERLAP.days} days",
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    words = "; ".join(f"{name}: {text}" for name, text in _DEEDS.items())
    parser = commands.add_parser("keys", help="create or rotate the keys of the data, or the key that signs id_tokens")
    parser.add_argument("deed", choices=tuple(_DEEDS), help=words)
    parser.add_argument("--demo", action="store_true", help="work on the data of the demonstration")
    parser.add_argument(
        "--by", default="", metavar="NAME", help="your name in the audit log (default: your account on this machine)"
    )
    parser.set_defaults(run=_keys)


def _keys(settings: Settings, options: argparse.Namespace) -> int:
    by = options.by.strip() or account()
    if options.deed == "create":
        opening.create_keys(settings.key_file)
        print(f"habilis: a key-encryption key was created in {settings.key_file}; keep it apart from the data",
              file=sys.stderr)  # fmt: skip
    elif options.deed == "rotate":
        _traced(settings, by, "rotate-keys")
        wrapped = opening.rotate_keys(place_of(settings))
        print(f"habilis: a fresh key in {settings.key_file} wraps {wrapped} data keys now", file=sys.stderr)
    else:
        fresh = _traced(settings, by, "rotate-signing")
        print(f"habilis: id_tokens are signed with key {fresh} from now on", file=sys.stderr)
    return 0


def _traced(settings: Settings, by: str, operation: str) -> str:
    """Record the operation in the audit log, and make a new signing key when asked; return the key's id."""
    runtime = build_runtime(replace(settings, accept_inferred_matrix=True))
    try:
        operator_acts.record(runtime, by, operation)
        return signing.rotate(runtime) if operation == "rotate-signing" else ""
    finally:
        runtime.ports.store.close()


def place_of(settings: Settings) -> opening.SqlitePlace | opening.MongoPlace:
    """Return where the store is."""
    if settings.store == "mongodb":
        return opening.MongoPlace(str(settings.mongodb_uri), settings.mongodb_database, settings.key_file)
    return opening.SqlitePlace(settings.data_dir, settings.key_file)


def prepare(settings: Settings) -> str:
    """Check that only its owner can read the key file in production; create a key file for a trial server.

    Return the text for the operator, "" when no file was created.
    Raises: SettingsError.
    """
    if settings.is_production:
        _demand_private(settings.key_file)
    elif not settings.key_file.exists() and not any(settings.data_dir.glob("*.sqlite3")):
        opening.create_keys(settings.key_file)
        return f"habilis: made the key file {settings.key_file}, for trying things out\n"
    return ""


def _demand_private(key_file: Path) -> None:
    if not key_file.exists():
        text = f"there is no key file {key_file}: name one by HABILIS_KEY_FILE, apart from the data"
        raise SettingsError(f"{text}, and make it with habilis keys create")
    if key_file.stat().st_mode & _OTHERS:
        raise SettingsError(f"accounts other than its owner may use the key file: run chmod 600 {key_file}")
    if key_file.parent.stat().st_mode & _OTHERS:
        text = f"accounts other than its owner may use the folder of the key file: run chmod 700 {key_file.parent}"
        raise SettingsError(text)
