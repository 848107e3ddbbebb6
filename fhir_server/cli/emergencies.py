"""`habilis emergencies-only on|off|status`: serve nothing but emergencies; docs/operations.md says when."""

import argparse
import getpass
import os
import socket
from dataclasses import replace

from fhir_server.app import build_runtime
from fhir_server.application.core import lockdown
from fhir_server.application.core.lockdown import Lockdown
from fhir_server.application.core.runtime import Runtime
from fhir_server.settings.server import Settings, SettingsError

COMMAND = "emergencies-only"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(COMMAND, help="serve only emergencies, from now until switched off")
    parser.add_argument("deed", choices=("on", "off", "status"))
    parser.add_argument(
        "--reason",
        default="",
        metavar="TEXT",
        help="why everything else stops; required by `on`, kept in the audit log",
    )
    parser.add_argument(
        "--by", default="", metavar="NAME", help="your name in the audit log (default: your account on this machine)"
    )
    parser.add_argument("--demo", action="store_true", help="work on the data of the demonstration")
    parser.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    if options.deed == "on" and not options.reason.strip():
        raise SettingsError("say why: habilis emergencies-only on --reason TEXT")
    # this command makes no decision: a bad matrix or profile must not prevent the lockdown
    served = build_runtime(replace(settings, accept_inferred_matrix=True, matrix_dir=None, rule_profile="fr"))
    try:
        print(_done(served, options))
    finally:
        served.ports.store.close()
    return 0


def _done(runtime: Runtime, options: argparse.Namespace) -> str:
    by = options.by.strip() or account()
    if options.deed == "on":
        return _told(lockdown.switch_on(runtime, by, options.reason))
    if options.deed == "off":
        held = lockdown.switch_off(runtime, by)
        return (
            f"everybody is served again; only emergencies were served since {held.since:%Y-%m-%d %H:%M} UTC"
            if held
            else _told(None)
        )
    return _told(lockdown.find(runtime))


def _told(stop: Lockdown | None) -> str:
    if stop is None:
        return "everybody is served"
    return f"only emergencies are served, since {stop.since:%Y-%m-%d %H:%M} UTC, by {stop.by}: {stop.reason}"


def account() -> str:
    """Return the operating system's account and machine name of this command; some containers have no name for it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
