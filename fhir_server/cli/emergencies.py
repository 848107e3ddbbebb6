"""`habilis emergencies-only on|off|status`: put the server into lockdown; docs/operations.md says when."""

from typing import Literal, get_args

import click

from fhir_server.application.core import lockdown
from fhir_server.application.core.lockdown import Lockdown
from fhir_server.cli.operators import NO_RULES, opened, takes_name, takes_settings, wrong
from fhir_server.settings.server import Settings

_Action = Literal["on", "off", "status"]


@click.command()
@click.argument("action", metavar="ACTION", type=click.Choice(get_args(_Action)))
@click.option("--reason", metavar="TEXT", help="Why everything else stops; `on` requires it, the audit log keeps it.")
@takes_name
@takes_settings()
def emergencies_only(action: _Action, reason: str | None, by: str, settings: Settings) -> None:
    """Stop everything but emergencies. This takes effect with the next request.

    \b
    on      serve only emergencies; give the --reason
    off     serve everybody again
    status  say who is served now
    """  # noqa: D301 - click does not join lines below \b
    if action == "on" and not (reason or "").strip():
        raise wrong("--reason", "say why everything else stops: habilis emergencies-only on --reason TEXT")
    with opened(settings, **NO_RULES) as runtime:
        if action == "on":
            click.echo(_state(lockdown.switch_on(runtime, by, str(reason))))
        elif action == "off" and (ended := lockdown.switch_off(runtime, by)):
            since = f"{ended.since:%Y-%m-%d %H:%M} UTC"
            click.echo(f"everybody is served again; only emergencies were served since {since}")
        else:
            click.echo(_state(lockdown.find(runtime)))


def _state(stop: Lockdown | None) -> str:
    if stop is None:
        return "everybody is served"
    return f"only emergencies are served, since {stop.since:%Y-%m-%d %H:%M} UTC, by {stop.by}: {stop.reason}"
