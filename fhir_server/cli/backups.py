"""`habilis backup TARGET` and `habilis restore SOURCE`: the embedded store at one instant; docs/operations.md."""

import argparse
import shutil
import sys
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from fhir_server.adapters import manifest as manifests
from fhir_server.adapters.keys import KeyFile
from fhir_server.adapters.sqlite import backup
from fhir_server.app import build_runtime
from fhir_server.application.core import operator_acts
from fhir_server.application.spaces import restore_events
from fhir_server.cli.emergencies import account
from fhir_server.settings.server import Settings, SettingsError

KEPT = frozenset(
    {
        "account",
        "brand-bundle",
        "client",
        "client-origin",
        "client-origins-kept",
        "national-id",
        "passkey",
        "sign-in-news",
        "signing-key",
        "switch",
        "upstream-link",
        "upstream-subject",
    }
)
"""Kinds of the vault that a restore keeps: people and clients. It drops all others, because they open something."""


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands to the command line."""
    saving = commands.add_parser("backup", help="copy data, keys and contents as of one instant; servers keep running")
    saving.add_argument("folder", metavar="TARGET", type=Path, help="a new folder; the backup never holds the key file")
    saving.set_defaults(run=_back_up)
    restoring_ = commands.add_parser(
        "restore", help="put a backup into an empty data directory; everybody must sign in again"
    )
    restoring_.add_argument("folder", metavar="SOURCE", type=Path, help="the folder of a backup")
    restoring_.set_defaults(run=_restore)
    for parser in (saving, restoring_):
        parser.add_argument(
            "--by",
            default="",
            metavar="NAME",
            help="your name in the audit log (default: your account on this machine)",
        )
        parser.add_argument("--demo", action="store_true", help="work on the data of the demonstration")


def _back_up(settings: Settings, options: argparse.Namespace) -> int:
    _demand_embedded(settings)
    served = build_runtime(_deciding_nothing(settings))
    try:
        operator_acts.record(served, options.by.strip() or account(), restore_events.BACKUP)
        made = backup.back_up(settings.data_dir, options.folder, version("habilis"))
    finally:
        served.ports.store.close()
    manifests.write(options.folder, made, KeyFile(settings.key_file))
    print(f"{options.folder} holds the state of {_told(made.instant)}, in {len(made.files)} files")
    print(
        f"the key file {settings.key_file} is not in the backup: keep it apart, nobody can read the backup without it"
    )
    return 0


def _restore(settings: Settings, options: argparse.Namespace) -> int:
    _demand_embedded(settings)
    held = manifests.read(options.folder, KeyFile(settings.key_file))
    stage = backup.stage(options.folder, settings.data_dir, held, settings.key_file)
    try:
        backup.drop_kinds_but(stage, KEPT)
        spaces = _tell(replace(_deciding_nothing(settings), data_dir=stage), options, held.instant)
        backup.put_in_place(stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    print(f"the service is as it was at {_told(held.instant)}; journals that say so: {spaces}")
    print(NOTICE.format(instant=_told(held.instant)), file=sys.stderr)
    return 0


NOTICE = """
For the data-protection officer:
- Everything recorded after {instant} is gone: documents, accesses, and patients' choices. A hiding, a block or the end
  of an agreement made after that instant does not hold any more until it is made again; tell the patients.
- Everybody signs in again and lets apps in again: all tokens, sessions, grants and launches are ended.
- An erasure after that instant must be carried out again.
- Accounts, clients, passwords and second factors are as they were then: end again what was ended since.
docs/operations.md, "Restore", has the steps.""".strip()


def _tell(settings: Settings, options: argparse.Namespace, instant: datetime) -> int:
    served = build_runtime(settings)
    try:
        return restore_events.tell(served, options.by.strip() or account(), instant)
    finally:
        served.ports.store.close()


def _demand_embedded(settings: Settings) -> None:
    if settings.store != "sqlite":
        raise SettingsError("this is for the embedded store; back up MongoDB with its own tools (docs/operations.md)")


def _deciding_nothing(settings: Settings) -> Settings:
    """Return the settings without those that could stop a command which makes no decision."""
    return replace(settings, accept_inferred_matrix=True, matrix_dir=None, rule_profile="fr")


def _told(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
