"""What the commands for apps and people share: the operator, the server's data, and errors that name an argument."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fhir_server.app import build_runtime
from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.cli.emergencies import account
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Json
from fhir_server.oauth.token.client_metadata import MetadataError
from fhir_server.settings.server import Settings, SettingsError

Command = Callable[[Runtime, argparse.Namespace], None]
Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse names the type of add_subparsers nowhere else


class ArgumentProblem(SettingsError):
    """An argument of a command is wrong. The text names it and says what to do."""

    def __init__(self, argument: str, text: str) -> None:
        """Put the argument in front of the text."""
        super().__init__(f"{argument}: {text}")


def add_deed(deeds: "Commands[argparse.ArgumentParser]", name: str, words: str, command: Command) -> Any:  # noqa: ANN401 - an ArgumentParser
    """Add a subcommand that works on the server's data; return its parser."""
    parser = deeds.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.add_argument("--demo", action="store_true", help="work on the data that `habilis serve --demo` serves")
    parser.add_argument(
        "--by", default="", metavar="NAME", help="your name in the audit log (default: your account on this machine)"
    )

    def run(settings: Settings, options: argparse.Namespace) -> int:
        with _opened(settings) as runtime:
            options.by = options.by.strip() or account()
            command(runtime, options)
        return 0

    parser.set_defaults(run=run)
    return parser


@contextmanager
def _opened(settings: Settings) -> Iterator[Runtime]:
    """Open the data; an administering command does not check whether the matrix may be used for serving."""
    runtime = build_runtime(replace(settings, accept_inferred_matrix=True))
    try:
        yield runtime
    except (ValueError, KeyError, Problem) as error:
        raise SettingsError(_line(error)) from error
    finally:
        runtime.ports.store.close()


def _line(error: Exception) -> str:
    if isinstance(error, Problem):
        return "the change could not be recorded; try again"
    return str(error.args[0] if error.args else error)


@contextmanager
def naming(arguments: Mapping[str, str]) -> Iterator[None]:
    """Turn an error about an element of a registration into an error about the command's argument."""
    try:
        yield
    except MetadataError as error:
        raise ArgumentProblem(arguments.get(error.element, error.element), error.text) from error


def demand(runtime: Runtime, argument: str, type_: str, id_: str) -> Json:
    """Return the resource that an argument names.

    Raises: ArgumentProblem when there is no such resource.
    """
    found = operator_acts.find_resource(runtime, type_, id_)
    if found is None:
        raise ArgumentProblem(argument, f"there is no {type_} {ascii(id_)[1:-1]} on this server")
    return found
