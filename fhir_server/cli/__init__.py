"""The command line `habilis`: where each command is, and how an error becomes one line that says what to do.

A command is imported when somebody calls it, so that help, version and completion answer at once.
"""

from collections.abc import Sequence
from pkgutil import resolve_name
from textwrap import shorten

import click
from click.exceptions import MissingParameter, NoArgsIsHelpError

from fhir_server.adapters.keys import KeyProblem
from fhir_server.ports.store import StoreUnavailable
from fhir_server.settings.server import SettingsError

_COMMANDS = {
    "backup": ("stores:backup", "Copy data, keys and contents of one instant."),
    "clients": ("clients:group", "Register apps and software; change or disable them."),
    "conformance": ("conformance:conformance", "Ask any FHIR server what the guides require of it."),
    "emergencies-only": ("emergencies:emergencies_only", "Stop everything but emergencies."),
    "enrol": ("enrolment:enrol", "Announce the spaces of the insured persons of a file."),
    "exceptions": ("supervision:exceptions", "Register other ceilings for a role."),
    "keys": ("keys:keys", "Make or replace the keys of the server."),
    "outbox": ("outbox:outbox", "Look at what waits for the worker, and at dead letters."),
    "reindex": ("stores:reindex", "Compute the search index anew after an upgrade."),
    "repair": ("stores:repair", "Find stored consents that cannot be applied."),
    "restore": ("stores:restore", "Put a backup into an empty data directory."),
    "resume": ("supervision:resume", "Let somebody's declarations open spaces again."),
    "schema": ("stores:schema", "Create or update the store's tables and indexes."),
    "seed": ("server:seed", "Load the invented people, or bulk data."),
    "serve": ("server:serve", "Serve FHIR, the authorization server and the pages."),
    "suspend": ("supervision:suspend", "Stop somebody's declarations from opening new spaces."),
    "work": ("outbox:work", "Work the outbox in a process of its own."),
    "users": ("users:group", "Give people accounts; change or disable them."),
}
"""Each command: its place in this folder, and what it does in one line."""
_LINE = 400
"""Longest line of an error, in characters: a database driver describes its whole topology."""


class _Commands(click.Group):
    """The commands of the table, each of them imported when it is called or its own words are completed."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in _COMMANDS:
            command = resolve_name(f"{__name__}.{_COMMANDS[name][0]}")
        return name, command, rest


@click.command(
    cls=_Commands,
    commands=[click.Command(name, short_help=purpose) for name, (_, purpose) in _COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Completion in bash: eval "$(_HABILIS_COMPLETE=bash_source habilis)"; also zsh_source and fish_source.',
)
@click.version_option(package_name="habilis", message="%(prog)s %(version)s")
def habilis() -> None:
    """Run a FHIR R4 server that shares documents by consent.

    Every command but `rules`, `conformance` and `clients make-keys` reads the settings HABILIS_… of the environment
    (docs/configuration.md).
    `habilis COMMAND --help` describes a command.
    """


@habilis.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def rules(words: tuple[str, ...]) -> int:
    """Explain, simulate and check the rules without a server."""
    from consent_rules.tools import cli  # noqa: PLC0415 - no other command needs it

    return cli.main(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    try:
        status: int | None = habilis.main(arguments, "habilis", standalone_mode=False)
    except click.Abort:  # Ctrl-C, or the end of input
        return 130
    except NoArgsIsHelpError as incomplete:
        click.echo(incomplete.message, err=True)
        return 2
    except (click.ClickException, SettingsError, KeyProblem, StoreUnavailable, OSError) as error:
        click.echo(f"habilis: {_line_of(error)}", err=True)
        return 2
    return status or 0


def _line_of(error: Exception) -> str:
    if isinstance(error, click.BadParameter) and not isinstance(error, MissingParameter):
        return f"{error.param_hint or (error.param and _name(error.param))}: {error.message}"
    if isinstance(error, click.UsageError):
        text = " ".join(error.format_message().split())
        end = "" if text.endswith((".", "?", "?)")) else "."
        where = error.ctx.command_path if error.ctx else "habilis"
        return f"{text[0].lower()}{text[1:]}{end} See `{where} --help`."
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    return shorten(str(error), _LINE, placeholder=" …")


def _name(parameter: click.Parameter) -> str:
    return parameter.opts[0] if isinstance(parameter, click.Option) else parameter.human_readable_name
