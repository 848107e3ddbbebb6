"""`habilis schema`, `reindex`, `backup`, `restore` and `repair`: what the operator does to the whole store.

Source: docs/operations.md.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import click

from consent_rules.vocabulary import PatientId
from fhir_server.adapters import manifest as manifests
from fhir_server.adapters import opening
from fhir_server.adapters.keys import KeyFile
from fhir_server.adapters.sqlite import backup as copies
from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.spaces import consent_repairs, reindexing, restore_events
from fhir_server.cli.keys import place_of
from fhir_server.cli.operators import ANY_MATRIX, NO_RULES, opened, takes_name, takes_settings
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

_TOLD_EVERY = 1000
"""How many spaces `reindex` handles before it prints the next line on how far it has come."""

NOTICE = """
For the data-protection officer:
- Everything recorded after {instant} is gone: documents, accesses, and patients' choices. A hiding, a block or the end
  of an agreement made after that instant does not hold any more until it is made again; tell the patients.
- Everybody signs in again and lets apps in again: all tokens, sessions, grants and launches are ended.
- An erasure after that instant must be carried out again.
- Accounts, clients, passwords and second factors are as they were then: end again what was ended since.
- Suspensions and registered exceptions are as they were then: see `habilis exceptions list`.
docs/operations.md, "Restore", has the steps.""".strip()


@click.command()
@takes_settings()
def schema(settings: Settings) -> None:
    """Create or update the store's tables and indexes."""
    opening.apply_schema(place_of(settings))
    click.echo("habilis: the store is up to date", err=True)


@click.command()
@click.option("--after", default="", metavar="PATIENT", help="Go on behind this space, as an interrupted run has said.")
@takes_name
@takes_settings()
def reindex(after: str, by: str, settings: Settings) -> None:
    """Compute the search index anew after an upgrade.

    Servers keep running. Run this command once after an upgrade whose release notes ask for it. You may interrupt it
    and go on later with --after.
    """
    spaces = resources = 0
    with opened(settings, **ANY_MATRIX) as runtime:
        for patient, indexed in reindexing.reindex(runtime, by, PatientId(after)):
            spaces, resources = spaces + bool(patient), resources + indexed
            if spaces and spaces % _TOLD_EVERY == 0:
                click.echo(f"to go on from here: habilis reindex --after {patient}", err=True)
    click.echo(f"{resources} resources of {spaces} spaces and of the directory have a new index")


@click.command()
@click.argument("folder", metavar="TARGET", type=click.Path(path_type=Path))
@takes_name
@takes_settings()
def backup(folder: Path, by: str, settings: Settings) -> None:
    """Copy data, keys and contents of one instant.

    TARGET is a new folder. Servers keep running. The backup never holds the key file: keep a copy of the key file
    elsewhere, because nobody can read the backup without it.
    """
    _demand_embedded(settings)
    with opened(settings, **NO_RULES) as runtime:
        operator_acts.record_backup(runtime, by)
        made = copies.back_up(settings.data_dir, folder, version("habilis"))
    manifests.write(folder, made, KeyFile(settings.key_file))
    click.echo(f"{folder} holds the state of {_told(made.instant)}, in {len(made.files)} files")
    text = "is not in the backup: keep it apart, nobody can read the backup without it"
    click.echo(f"the key file {settings.key_file} {text}")


@click.command()
@click.argument("folder", metavar="SOURCE", type=click.Path(path_type=Path))
@takes_name
@takes_settings()
def restore(folder: Path, by: str, settings: Settings) -> None:
    """Put a backup into an empty data directory.

    SOURCE is the folder of the backup. Stop all servers first, and put the key file in its place. Afterwards everybody
    must sign in again.
    """
    _demand_embedded(settings)
    held = manifests.read(folder, KeyFile(settings.key_file))
    stage = copies.stage(folder, settings.data_dir, held, settings.key_file)
    try:
        copies.drop_kinds_but(stage, KEPT)
        with opened(settings, **NO_RULES, data_dir=stage) as runtime:
            spaces = restore_events.tell(runtime, by, held.instant)
        copies.put_in_place(stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    click.echo(f"the service is as it was at {_told(held.instant)}; journals in which this is recorded: {spaces}")
    click.echo(NOTICE.format(instant=_told(held.instant)), err=True)


@click.command()
@click.option("--apply", is_flag=True, help="Withdraw these consents, audit it, and notify the patients.")
@takes_name
@takes_settings()
def repair(apply: bool, by: str, settings: Settings) -> None:  # noqa: FBT001 - as click calls it
    """Find stored consents that cannot be applied. Without --apply the command changes nothing."""
    found = 0
    with opened(settings, **ANY_MATRIX) as runtime:
        for line in _repaired(runtime, by) if apply else _faults(runtime):
            click.echo(line)
            found += 1
    if not found:
        click.echo("every stored consent can be applied")
    elif apply:
        click.echo(f"{found} consents were withdrawn; the audit log records it, and each patient has a notice")
    else:
        click.echo(f"{found} consents cannot be applied; `habilis repair --apply` withdraws them")


def _faults(runtime: Runtime) -> Iterator[str]:
    for fault in consent_repairs.faults(runtime):
        yield f"Consent/{fault.consent} of Patient/{fault.patient}: {fault.why}"


def _repaired(runtime: Runtime, by: str) -> Iterator[str]:
    for patient in dict.fromkeys(fault.patient for fault in consent_repairs.faults(runtime)):
        for fault in consent_repairs.repair(runtime, patient, by):
            yield f"Consent/{fault.consent} of Patient/{patient}: {fault.why}; withdrawn"


def _demand_embedded(settings: Settings) -> None:
    if settings.store != "sqlite":
        raise SettingsError("this is for the embedded store; back up MongoDB with its own tools (docs/operations.md)")


def _told(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
