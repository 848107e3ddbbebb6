"""`habilis suspend | resume | exceptions`: suspend what somebody's declarations open, or register other ceilings."""

from collections.abc import Container, Sequence
from typing import Literal, get_args

import click

from fhir_server.application.core.ceilings import breakers, supervising
from fhir_server.application.identity import clients
from fhir_server.cli.operators import Operator, administers, wrong
from fhir_server.domain.supervision import PROFESSION, RegisteredException
from fhir_server.domain.values import ClientId

_Kind = Literal["person", "client", "establishment"]
_TYPES = {"person": "Practitioner", "client": "Device", "establishment": "Organization"}
_KINDS = {type_: kind for kind, type_ in _TYPES.items()}
_takes_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; the audit log keeps it.")
_takes_kind = click.argument("kind", metavar="KIND", type=click.Choice(get_args(_Kind)))


@click.command()
@_takes_kind
@click.argument("id_", metavar="ID")
@_takes_reason
@administers
def suspend(operator: Operator, kind: _Kind, id_: str, reason: str) -> None:
    """Stop somebody's declarations from opening new spaces.

    KIND is person, client or establishment; ID is that of the Practitioner, the client or the Organization. This takes
    effect with the next request. Spaces that are open stay open. Evidence from the patient or from a third party still
    opens spaces, and so do emergencies.

    Example: habilis suspend person 3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e --reason "token stolen"
    """
    subject = _subject(operator, kind, id_)
    supervising.suspend(operator.runtime, subject, operator.name, reason)
    click.echo(f"{subject}: declarations open no more spaces")


@click.command()
@_takes_kind
@click.argument("id_", metavar="ID")
@_takes_reason
@administers
def resume(operator: Operator, kind: _Kind, id_: str, reason: str) -> None:
    """Let somebody's declarations open spaces again.

    KIND and ID are those of `habilis suspend`. The server also forgets the ceilings and contests that led to the
    suspension.
    """
    held = {one.subject for one in supervising.find(operator.runtime).suspensions}
    subject = _subject(operator, kind, id_, held)
    breakers.resume(operator.runtime, subject, operator.name, reason)
    click.echo(f"{subject}: declarations open spaces again")


@click.group("exceptions")
def exceptions() -> None:
    """Register other ceilings for a role.

    The page /transparency lists them without names of persons.
    """


@exceptions.command("add")
@click.argument("subject", metavar="SUBJECT")
@click.argument("numbers", metavar="CEILING=NUMBER…", nargs=-1, required=True)
@click.option("--role", required=True, metavar="TEXT", help="The role in words that everybody may read.")
@_takes_reason
@administers
def add(operator: Operator, subject: str, numbers: Sequence[str], role: str, reason: str) -> None:
    """Register other ceilings, in place of earlier ones of the same subject.

    SUBJECT is person/ID, client/ID, establishment/ID or profession/CODE. CEILING is a key of the table [ceilings] of
    the rule profile.
    """
    given = dict(_number(one) for one in numbers)
    wanted = RegisteredException(_named(operator, subject), role, given, operator.runtime.now(), operator.name, reason)
    supervising.register(operator.runtime, wanted)
    click.echo(f"{wanted.subject}: registered")


@exceptions.command("end")
@click.argument("subject", metavar="SUBJECT")
@_takes_reason
@administers
def end(operator: Operator, subject: str, reason: str) -> None:
    """End the registered exception of a subject; the usual ceilings hold again.

    SUBJECT is person/ID, client/ID, establishment/ID or profession/CODE.
    """
    held = {one.subject for one in supervising.find(operator.runtime).exceptions}
    named = _named(operator, subject, held)
    if named not in held:
        raise wrong("SUBJECT", f"no exception is registered for {ascii(subject)[1:-1]}; see `habilis exceptions list`")
    supervising.end_exception(operator.runtime, named, operator.name, reason)
    click.echo(f"{named}: the usual ceilings")


@exceptions.command("list")
@administers
def list_(operator: Operator) -> None:
    """List suspensions and registered exceptions."""
    held = supervising.find(operator.runtime)
    for one in held.suspensions:
        click.echo(f"suspended  {_spelt(one.subject)}  since {one.since:%Y-%m-%d %H:%M} UTC by {one.by}: {one.reason}")
    for given in held.exceptions:
        numbers = " ".join(f"{name}={most}" for name, most in sorted(given.numbers.items()))
        click.echo(
            f"exception  {_spelt(given.subject)}  {numbers}  {given.role}  since {given.since:%Y-%m-%d}: {given.reason}"
        )


def _spelt(subject: str) -> str:
    """Return a subject as the commands take it: `person/…` for `Practitioner/…`."""
    if subject.startswith(PROFESSION):
        return f"profession/{subject.removeprefix(PROFESSION)}"
    type_, slash, id_ = subject.partition("/")
    return f"{_KINDS[type_]}{slash}{id_}" if type_ in _KINDS else subject


def _named(operator: Operator, subject: str, held: Container[str] = ()) -> str:
    kind, _, id_ = subject.partition("/")
    if kind == "profession" and id_:
        return f"{PROFESSION}{id_}"
    if kind not in get_args(_Kind) or not id_:
        raise wrong("SUBJECT", "name person/ID, client/ID, establishment/ID or profession/CODE")
    return _subject(operator, kind, id_, held)


def _subject(operator: Operator, kind: str, id_: str, held: Container[str] = ()) -> str:
    """Return the reference of a subject. held: subjects that are named already, and may be gone since.

    Raises: BadParameter when there is nobody of that id.
    """
    reference = f"{_TYPES[kind]}/{id_}"
    if reference in held:
        return reference
    if kind != "client":
        operator.demand("ID", _TYPES[kind], id_)
    elif not clients.is_known(operator.runtime, ClientId(id_)):
        raise wrong("ID", f"there is no client {ascii(id_)[1:-1]} on this server")
    return reference


def _number(text: str) -> tuple[str, int]:
    name, _, most = text.partition("=")
    if not most.isdecimal():
        raise wrong("CEILING=NUMBER", f"{ascii(text)[1:-1]} is no ceiling with a number, such as spaces_an_hour=200")
    return name, int(most)
