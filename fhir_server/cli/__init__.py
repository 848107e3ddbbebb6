"""The command line: serve, seed, keys, schema, clients, users and the lockdown to emergencies.

Every command reads the HABILIS_* settings; an error is one line that says what to do.
"""

import argparse
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version

from consent_rules.tools import cli as rules_cli
from fhir_server import telemetry
from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from fhir_server.cli import backups, clients, emergencies, key_files, repair, starting, users
from fhir_server.ports.store import StoreUnavailable
from fhir_server.settings.server import Settings, SettingsError

_RELAXED = (
    "demonstration: inferred rows of the matrix are accepted, professionals may sign in with a password alone "
    "(HABILIS_PROFESSIONAL_LEVEL=eidas1), and the key file lies beside the data"
)
"""What the demonstration relaxes, compared with a production server."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["rules"]:  # options of `rules`, -h included, belong to the command line of the rules
        return rules_cli.main(given[1:])
    options = _parser().parse_args(given)
    try:
        settings = _settings(options)
        telemetry.configure(settings.log_level)
        run: Callable[[Settings, argparse.Namespace], int] = options.run
        return run(settings, options)
    except (SettingsError, opening.KeyProblem, StoreUnavailable, OSError) as error:
        print(f"habilis: {starting.line_of(error)}", file=sys.stderr)
        return 2


def _settings(options: argparse.Namespace) -> Settings:
    environment = dict(os.environ)
    if getattr(options, "demo", False):
        environment["HABILIS_DEMO"] = "yes"
        environment.setdefault("HABILIS_DATA_DIR", "var/demo")
    return Settings.from_environment(environment)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="habilis", description="FHIR R4 server that shares documents by consent.")
    parser.add_argument("--version", action="version", version=f"habilis {version('habilis')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve the FHIR endpoint, the authorization server and the pages")
    serve.add_argument("--demo", action="store_true", help="seed the invented people first and hand out their tokens")
    serve.set_defaults(run=_serve)
    seed = commands.add_parser("seed", help="load the invented people, or bulk data with --patients and --documents")
    seed.add_argument("--demo", action="store_true", help="accept the inferred matrix, as the demonstration does")
    seed.add_argument("--patients", type=int, default=0, metavar="N", help="bulk: how many patients")
    seed.add_argument("--documents", type=int, default=50, metavar="M", help="bulk: documents of each (default 50)")
    seed.set_defaults(run=_seed)
    key_files.add_parser(commands)
    schema = commands.add_parser("schema", help="create or bring up to date the store's tables and indexes")
    schema.set_defaults(run=_schema)
    clients.add_parser(commands)
    users.add_parser(commands)
    emergencies.add_parser(commands)
    backups.add_parsers(commands)
    repair.add_parser(commands)
    commands.add_parser("rules", help="explain, simulate, compare and check the rules without a server")
    return parser


def _serve(settings: Settings, _options: argparse.Namespace) -> int:
    from fhir_server.cli.web_server import web_server  # noqa: PLC0415 - other commands start without a web server

    settings.refuse_unsafe_serving()
    _demand_free_port(settings)
    starting.stop_quietly()
    told = key_files.prepare(settings)
    if settings.demo:
        _prepare_demo(settings)
        told += f"habilis: {_RELAXED}\n"
    os.environ.update(_as_environment(settings))
    starting.check_start(settings)
    print(told, end="", file=sys.stderr)
    print(f"habilis: serving {settings.base_url}  (FHIR at {settings.fhir_base}; stop with Ctrl-C)", file=sys.stderr)
    return starting.serve_until_stopped(web_server(settings))


def _demand_free_port(settings: Settings) -> None:
    """Refuse an address that another server uses: the kernel would divide the requests between the two servers."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            text = f"HABILIS_HOST and HABILIS_PORT name an address that cannot be served: {error.strerror}"
            raise SettingsError(text) from error


def _prepare_demo(settings: Settings) -> None:
    from seed.loading import load_demonstration  # noqa: PLC0415 - only the demonstration needs the cast

    served = build_runtime(settings)
    load_demonstration(served, settings.data_dir)
    served.ports.store.close()


def _as_environment(settings: Settings) -> dict[str, str]:
    return {
        "HABILIS_BASE_URL": settings.base_url,
        "HABILIS_DATA_DIR": str(settings.data_dir),
        "HABILIS_KEY_FILE": str(settings.key_file),
        "HABILIS_DEMO": "yes" if settings.demo else "no",
    }


def _seed(settings: Settings, options: argparse.Namespace) -> int:
    from seed.bulk import load_bulk  # noqa: PLC0415
    from seed.loading import load_demonstration  # noqa: PLC0415

    if settings.is_production:
        text = "loads invented people and software with wide rights: never on an https HABILIS_BASE_URL"
        raise SettingsError(f"habilis seed {text}; use habilis seed --demo on this machine")
    print(key_files.prepare(settings), end="", file=sys.stderr)
    served = build_runtime(replace(settings, accept_inferred_matrix=settings.accept_inferred_matrix or settings.demo))
    try:
        if options.patients:
            load_bulk(served, settings.data_dir, options.patients, options.documents)
        else:
            load_demonstration(served, settings.data_dir)
    finally:
        served.ports.store.close()
    return 0


def _schema(settings: Settings, _options: argparse.Namespace) -> int:
    opening.apply_schema(key_files.place_of(settings))
    print("habilis: the store is up to date", file=sys.stderr)
    return 0
