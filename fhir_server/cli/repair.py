"""`habilis repair`: find stored choices that cannot be honoured, and withdraw them with --apply; docs/operations.md."""

import argparse
from dataclasses import replace

from fhir_server.app import build_runtime
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.spaces import consent_repairs
from fhir_server.cli.emergencies import account
from fhir_server.settings.server import Settings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "repair", help="find stored consents that cannot be applied; change nothing without --apply"
    )
    parser.add_argument(
        "--apply",
        action="store_true",
        help="withdraw these consents, record it in the audit log and notify the patients",
    )
    parser.add_argument(
        "--by", default="", metavar="NAME", help="your name in the audit log (default: your account on this machine)"
    )
    parser.add_argument("--demo", action="store_true", help="work on the data of the demonstration")
    parser.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    served = build_runtime(replace(settings, accept_inferred_matrix=True))  # this command gives nobody access
    try:
        found = _applied(served, options.by.strip() or account()) if options.apply else _looked(served)
    finally:
        served.ports.store.close()
    print(_summary(found, applied=options.apply))
    return 0


def _looked(runtime: Runtime) -> int:
    found = 0
    for fault in consent_repairs.faults(runtime):
        print(f"Consent/{fault.consent} of Patient/{fault.patient}: {fault.why}")
        found += 1
    return found


def _applied(runtime: Runtime, by: str) -> int:
    found = 0
    for patient in dict.fromkeys(fault.patient for fault in consent_repairs.faults(runtime)):
        for fault in consent_repairs.repair(runtime, patient, by):
            print(f"Consent/{fault.consent} of Patient/{patient}: {fault.why}; withdrawn")
            found += 1
    return found


def _summary(found: int, *, applied: bool) -> str:
    if not found:
        return "every stored consent can be applied"
    if applied:
        return f"{found} consents were withdrawn; the audit log records it, and each patient has a notice"
    return f"{found} consents cannot be applied; `habilis repair --apply` withdraws them"
