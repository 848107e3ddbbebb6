"""`habilis work` and `habilis outbox`: work the outbox in a process of its own, and look after dead letters."""

import signal
from collections.abc import Callable

import click

from fhir_server import worker
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.notices import choices
from fhir_server.application.outbox import dead_letters
from fhir_server.cli.operators import NO_RULES, opened, takes_name, takes_settings, wrong
from fhir_server.metrics import counting
from fhir_server.ports.outbox import LaneState, Pending
from fhir_server.ports.store import MessageGone
from fhir_server.settings.server import Settings

_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_PATIENCE_SECONDS = 30.0
"""How long a stopping worker may take for the messages that it is handling."""
_HEAD = ("LANE", "READY", "LATER", "DEAD", "TRIES", "READY SINCE (UTC)")


@click.command()
@takes_settings()
def work(settings: Settings) -> None:
    """Work the outbox in a process of its own.

    The outbox holds work for after an answer, such as mails, and work for a date, such as the end of a term.
    `habilis serve` works it too, unless HABILIS_WORKER is no.
    Several processes may run: one works a lane at a time.
    Stop it with Ctrl-C or SIGTERM.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # the threads of the worker inherit it
    if settings.metrics_port:
        counting.begin(settings.metrics_dir)
    with opened(settings) as runtime:
        working = worker.build(runtime)
        working.start()
        click.echo("habilis: working the outbox (stop with Ctrl-C)", err=True)
        signal.sigwait(_SIGNALS)
        working.stop(_PATIENCE_SECONDS)


@click.group()
def outbox() -> None:
    """Look at what waits for the worker, and at dead letters."""


@outbox.command("list")
@takes_settings()
def list_(settings: Settings) -> None:
    """List the lanes with their messages, and the dead letters.

    A message becomes a dead letter when it failed too often. Nobody tries it again until `habilis outbox retry`.
    """
    with opened(settings, **NO_RULES) as runtime:
        states, letters = dead_letters.lanes(runtime), dead_letters.find(runtime)
        refused = choices.count_refused(runtime)
    for row in (_HEAD, *map(_cells, states)) if states else ():
        click.echo("{:<16}{:>8}{:>8}{:>8}{:>8}  {}".format(*row))
    for letter in letters:
        click.echo(f"dead letter {letter.lane} {letter.position}: {letter.attempts} tries, {letter.error}")
    if not states:
        click.echo("the outbox is empty")
    if refused:
        click.echo(f"mail addresses that the mail server refused: {refused}")


@outbox.command()
@click.argument("lane")
@click.argument("position")
@takes_name
@takes_settings()
def retry(lane: str, position: str, by: str, settings: Settings) -> None:
    """Have a dead letter tried again; its failures are counted from zero."""
    _act(dead_letters.retry, settings, by, (lane, position))
    click.echo(f"{lane} {position} is tried again")


@outbox.command()
@click.argument("lane")
@click.argument("position")
@takes_name
@takes_settings()
def drop(lane: str, position: str, by: str, settings: Settings) -> None:
    """Drop a dead letter for ever."""
    _act(dead_letters.drop, settings, by, (lane, position))
    click.echo(f"{lane} {position} is dropped")


def _act(what: Callable[[Runtime, str, Pending], None], settings: Settings, by: str, named: tuple[str, str]) -> None:
    lane, position = named
    gone = wrong("POSITION", f"there is no dead letter {position} in lane {lane}; `habilis outbox list` lists them")
    with opened(settings, **NO_RULES) as runtime:
        letter = next((one for one in dead_letters.find(runtime, lane) if one.position == position), None)
        if letter is None:
            raise gone
        try:
            what(runtime, by, letter)
        except MessageGone:
            raise gone from None


def _cells(state: LaneState) -> tuple[object, ...]:
    oldest = f"{state.oldest:%Y-%m-%d %H:%M:%S}" if state.oldest else "-"
    return state.lane, state.ready, state.later, state.dead, state.attempts, oldest
