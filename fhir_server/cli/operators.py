"""The operator who types a command: the settings, their name in the audit log, and the server's data."""

import getpass
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import wraps
from typing import Any, TypeVar

import click

from fhir_server import telemetry
from fhir_server.app import build_runtime
from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Json
from fhir_server.settings.server import Settings, SettingsError

Run = Callable[..., None]
ANY_MATRIX: Json = {"accept_inferred_matrix": True}
"""Settings for a command that gives nobody access: an inferred matrix does not stop it."""
NO_RULES: Json = ANY_MATRIX | {"matrix_dir": None, "rule_profile": "fr"}
"""Settings for a command that makes no decision: a bad matrix or profile does not stop it."""
_E = TypeVar("_E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who types a command, and the opened data. name: their name in the audit log. caller: who the use cases see."""

    name: str
    caller: Caller
    runtime: Runtime

    def demand(self, argument: str, type_: str, id_: str) -> Json:
        """Return the resource that an argument names.

        Raises: BadParameter when there is no such resource.
        """
        found = operator_acts.find_resource(self.runtime, type_, id_)
        if found is None:
            raise wrong(argument, f"there is no {type_} {ascii(id_)[1:-1]} on this server")
        return found


def wrong(argument: str, text: str) -> click.BadParameter:
    """Return the error about an argument. text: what is wrong, and what to do."""
    return click.BadParameter(text, param_hint=argument)


class OneOf(click.Choice[_E]):
    """One of the values of an enum."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:  # noqa: ARG002 - as click calls it
        """Return the text by which people choose."""
        return str(choice.value) if isinstance(choice, Enum) else str(choice)


def takes_settings(help_: str = "Work on the data that `habilis serve --demo` serves.") -> Callable[[Run], Run]:
    """Hand a command the settings; its option --demo makes them those of the demonstration. help_: about --demo."""
    return click.option("--demo", "settings", is_flag=True, callback=_settings, help=help_)


takes_name: Callable[[Run], Run] = click.option(
    "--by",
    metavar="NAME",
    callback=lambda _context, _option, name: (name or "").strip() or _account(),
    help="Your name in the audit log (default: your account on this machine).",
)
"""Hand a command the name of the operator, as `by`."""


def administers(command: Run) -> Run:
    """Hand a command about apps or people the operator, with the data opened."""

    @takes_settings()
    @takes_name
    @wraps(command)
    def run(settings: Settings, by: str, **given: object) -> None:
        with opened(settings, **ANY_MATRIX) as runtime:
            try:
                command(Operator(by, Caller.of_operator(by), runtime), **given)
            except Problem as problem:
                raise SettingsError("the change could not be recorded; try again") from problem
            except (ValueError, KeyError) as error:
                raise SettingsError(str(error.args[0] if error.args else error)) from error

    return run


@contextmanager
def opened(settings: Settings, **changed: Any) -> Iterator[Runtime]:  # noqa: ANN401 - members of Settings
    """Open the data, and close it in the end. changed: settings that are different for this command."""
    runtime = build_runtime(replace(settings, **changed))
    try:
        yield runtime
    finally:
        runtime.ports.store.close()


def _settings(_context: click.Context, _option: click.Parameter, demo: Any) -> Settings:  # noqa: ANN401 - as click calls it
    environment = dict(os.environ)
    if demo:
        environment["HABILIS_DEMO"] = "yes"
        environment.setdefault("HABILIS_DATA_DIR", "var/demo")
    settings = Settings.from_environment(environment)
    telemetry.configure(settings.log_level)
    return settings


def _account() -> str:
    """Return the operating system's account and machine name of this command; some containers have no name for it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
