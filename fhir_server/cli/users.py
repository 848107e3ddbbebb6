"""`habilis users …`: people who sign in here, what they may act for, and how they prove who they are."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import click

from consent_rules.vocabulary import Capacity, PatientId, RequesterKind
from fhir_server.application.directory import professionals
from fhir_server.application.identity import accounts, credentials, franceconnect_link
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient
from fhir_server.application.identity.passwords import weakness
from fhir_server.cli.operators import OneOf, Operator, Run, administers, wrong
from fhir_server.domain.values import Json
from fhir_server.oauth.login import factors, passkeys

_NAME_LIMIT = 200
_DISPLAY = "The name that the audit log and the pages show."
_ACTS_FOR = "Id of the RelatedPerson under which this person acts for a patient"


@dataclass(frozen=True, slots=True)
class _NewPerson:
    """What the arguments of `add` say; the option of the same name explains each."""

    login: str
    display: str
    patient: PatientId | None
    acts_for: tuple[str, ...]
    practitioner: str | None
    role: str | None
    organization: str | None
    profession: str | None
    capacity: Capacity | None
    regulator: bool
    auditor: bool
    runs_server: bool
    national_id: str | None


@click.group("users")
def group() -> None:
    """Give people accounts; change or disable them. Every change is audited."""


def _of_person(command: Run) -> Run:
    """Hand a command the operator and the account that LOGIN names."""

    @click.argument("login", metavar="LOGIN")
    @administers
    @wraps(command)
    def run(operator: Operator, login: str, **given: object) -> None:
        account = accounts.find_account(operator.runtime, login)
        if account is None:
            raise wrong("LOGIN", f"there is no user {ascii(login)[1:-1]}; `habilis users list` shows all users")
        command(operator, account, **given)

    return run


def _login(text: str) -> str:
    if not text.isprintable() or text != "".join(text.split()) or not 0 < len(text) <= accounts.LOGIN_LIMIT:
        raise ValueError(f"must have 1 to {accounts.LOGIN_LIMIT} visible characters without blanks")
    return text


def _display(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _NAME_LIMIT:
        raise ValueError(f"must have 1 to {_NAME_LIMIT} visible characters")
    return text


def _national_id(text: str) -> str:
    if text and not (text.isascii() and text.isalnum()):
        raise ValueError("must be letters and digits")
    return text


def _account(operator: Operator, person: _NewPerson) -> Account:
    if person.runs_server:
        return _operator(operator, person)
    is_holder = bool(person.patient or person.acts_for)
    if is_holder == bool(person.practitioner):
        raise wrong("--patient", "give either --practitioner, or --patient or --acts-for")
    if is_holder and (person.auditor or person.regulator or person.role or person.profession):
        raise wrong("--patient", "an auditor, a regulator or a professional needs --practitioner instead")
    return _holder(operator, person) if is_holder else _professional(operator, person)


def _operator(operator: Operator, person: _NewPerson) -> Account:
    """Return the account of somebody who runs the server: it acts for nobody and opens no space."""
    given = (person.patient, person.acts_for, person.practitioner, person.role, person.profession, person.auditor)
    if any(given) or person.regulator or person.national_id:
        raise wrong("--operator", "an operator's account is nothing else; give this person a second account")
    return Account(person.login, RequesterKind.SUPPORT, f"Device/{operator.runtime.ports.ids.new()}", person.display)


def _holder(operator: Operator, person: _NewPerson) -> Account:
    """Return the account of a patient, of a guardian or carer, or of a person who is both."""
    represented = _represented(operator, person.acts_for)
    if not person.patient:
        first = represented[0]
        return Account(person.login, first.kind, first.person, person.display, patients=represented)
    operator.demand("--patient", "Patient", person.patient)
    own = RepresentedPatient(person.patient, f"Patient/{person.patient}", person.display)
    return Account(person.login, own.kind, own.person, person.display, patients=(own, *represented))


def _represented(operator: Operator, related: Iterable[str]) -> tuple[RepresentedPatient, ...]:
    found = []
    for id_ in related:
        relation = operator.demand("--acts-for", "RelatedPerson", id_)
        patient = PatientId(str(relation.get("patient", {}).get("reference", "")).removeprefix("Patient/"))
        label = _name(operator.demand("--acts-for", "Patient", patient)) or patient
        found.append(RepresentedPatient(patient, f"RelatedPerson/{id_}", label))
    return tuple(found)


def _name(patient: Json) -> str:
    name: Json = next(iter(patient.get("name", ())), {})
    return str(name.get("text") or " ".join(filter(None, (*name.get("given", ()), name.get("family", "")))))


def _professional(operator: Operator, person: _NewPerson) -> Account:
    operator.demand("--practitioner", "Practitioner", str(person.practitioner))
    reference, number = f"Practitioner/{person.practitioner}", person.national_id or ""
    if person.auditor:
        return Account(person.login, RequesterKind.AUDITOR, reference, person.display, national_id=number)
    return Account(
        person.login, RequesterKind.PROFESSIONAL, reference, person.display,
        (_practice(operator, person, reference),), national_id=number, regulator=person.regulator,
    )  # fmt: skip


def _practice(operator: Operator, person: _NewPerson, practitioner: str) -> PractitionerRoleRef:
    """Return the practice situation: from the directory if --role is given, otherwise from the other arguments."""
    if person.role:
        return _of_directory(operator, person, person.role, practitioner)
    if not person.profession:
        raise wrong("--role", "a professional needs --role, or --profession and --organization")
    if not operator.runtime.matrix.kinds_for(person.profession):
        raise wrong("--profession", f"the matrix in force has no row {ascii(person.profession)[1:-1]}")
    reference, name = "", ""
    if person.organization:
        name = str(operator.demand("--organization", "Organization", person.organization).get("name", ""))
        reference = f"Organization/{person.organization}"
    capacity = person.capacity or Capacity.NONE
    return PractitionerRoleRef("", reference, name, person.profession, label=name, capacity=capacity)


def _of_directory(operator: Operator, person: _NewPerson, role: str, practitioner: str) -> PractitionerRoleRef:
    found = operator.demand("--role", "PractitionerRole", role)
    if found.get("practitioner", {}).get("reference") != practitioner:
        raise wrong("--role", f"PractitionerRole {role} belongs to somebody else")
    practice = professionals.practice_of(operator.runtime, found | {"id": role})
    if practice is None:
        raise wrong("--role", f"PractitionerRole {role} has ended, or names no profession")
    if person.profession and person.profession != practice.profession:
        raise wrong("--profession", f"the directory says {practice.profession} in that role")
    if person.organization and f"Organization/{person.organization}" != practice.organization:
        raise wrong("--organization", f"the directory says {practice.organization} in that role")
    return replace(practice, capacity=person.capacity) if person.capacity else practice


@group.command()
@click.argument("login", metavar="LOGIN", type=_login)
@click.option("--display", required=True, type=_display, metavar="NAME", help=_DISPLAY)
@click.option("--patient", metavar="ID", help="Id of this person's own Patient.")
@click.option("--acts-for", multiple=True, metavar="ID", help=f"{_ACTS_FOR}; for a guardian or a carer; repeatable.")
@click.option("--practitioner", metavar="ID", help="Id of this person's own Practitioner.")
@click.option("--role", metavar="ID", help="Id of the PractitionerRole; it gives organization and profession.")
@click.option("--organization", metavar="ID", help="Id of the Organization of the practice.")
@click.option("--profession", metavar="CODE", help="Code of the matrix row, such as 10 or 70.")
@click.option("--capacity", type=OneOf([post for post in Capacity if post]),
              help="The person's post in the organization, when the rules depend on it.")  # fmt: skip
@click.option("--regulator", is_flag=True, help="A regulating physician of an emergency call centre.")
@click.option("--auditor", is_flag=True, help="May read the audit log and review emergencies, but read no document.")
@click.option(
    "--operator",
    "runs_server",
    is_flag=True,
    help="Runs the server: sees its state in a browser, and no patient's data.",
)
@click.option("--national-id", metavar="NUMBER", type=_national_id,
              help='"8" and the RPPS number, for sign-in through an identity provider.')  # fmt: skip
@administers
def add(operator: Operator, **given: Any) -> None:  # noqa: ANN401 - the members of _NewPerson
    """Give a person an account.

    LOGIN is the user name that the person types at every sign-in. The command asks for the password, or reads it from
    standard input. It prints a code once: with this code the person sets up a second factor.

    \b
    A patient:       habilis users add camille --display "Camille Laurent" --patient ID
    A guardian:      habilis users add lou --display "Lou Laurent" --acts-for ID
    A professional:  habilis users add nour --display "Dr Nour Haddad" --practitioner ID --role ID
    """  # noqa: D301 - click does not join lines below \b
    person = _NewPerson(**given)
    if person.national_id and accounts.find_by_national_id(operator.runtime, person.national_id):
        raise wrong("--national-id", "another account has this number")
    account = _account(operator, person)
    if accounts.find_account(operator.runtime, account.login):
        raise wrong("LOGIN", f"there is a user {account.login} already")
    password = _new_password(account)
    stored, code = credentials.open_account(operator.runtime, operator.caller, account, password)
    click.echo(f"user {stored.login} added")
    if code:
        _print_code(stored, code)
    else:
        click.echo("without a password, this person can sign in only through an identity provider")


def _new_password(account: Account) -> str | None:
    """Ask for a password, twice at a terminal; None when it is empty.

    Raises: BadParameter when the password is weak.
    """
    if sys.stdin.isatty():
        text = "password (empty: sign-in only through an identity provider)"
        password: str = click.prompt(
            text, default="", show_default=False, hide_input=True, confirmation_prompt="the same password again"
        )
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    weak = weakness(password, (account.login, account.display)) if password else None
    if weak:
        raise wrong("password", weak.value)
    return password or None


def _print_code(account: Account, code: str) -> None:
    text = "give it to the person separately from the password"
    click.echo(f"code for a first second factor of {account.login}, shown once, good for seven days; {text}: {code}")


@group.command("list")
@administers
def list_(operator: Operator) -> None:
    """List all accounts."""
    for account in accounts.list_accounts(operator.runtime):
        state = "disabled" if account.disabled else "in use"
        click.echo(f"{account.login}\t{account.kind.value}\t{account.person}\t{state}")


@group.command()
@_of_person
def show(operator: Operator, account: Account) -> None:
    """Show what a person may do and how they sign in."""
    click.echo(f"{account.login}: {account.display}, {account.kind.value}, {account.person}")
    click.echo("disabled" if account.disabled else "in use")
    for practice in account.practices:
        where = practice.organization or "no organization"
        click.echo(f"practises as {practice.profession} at {where} ({practice.role or 'no role of the directory'})")
    for represented in account.patients:
        click.echo(f"acts for Patient/{represented.patient} as {represented.person}")
    means = ["password"] * accounts.has_password(operator.runtime, account)
    means += ["authenticator app"] * bool(account.totp)
    means += [f"passkey “{passkey.name}”" for passkey in passkeys.of(operator.runtime, account)]
    click.echo(f"signs in by: {', '.join(means) or 'an identity provider only'}")
    for news in credentials.news_of(operator.runtime, account):
        by = "the person" if news.by_owner else "an operator"
        click.echo(f"{news.at:%Y-%m-%d %H:%M} UTC {news.act.value} by {by}")


@group.command()
@click.option("--display", type=_display, metavar="NAME", help=_DISPLAY)
@click.option("--acts-for", multiple=True, metavar="ID", help=f"{_ACTS_FOR}; replaces the earlier ones; repeatable.")
@_of_person
def edit(operator: Operator, account: Account, display: str | None, acts_for: tuple[str, ...]) -> None:
    """Change a person's name, or for whom they act.

    What is left out stays as it is.
    """
    if acts_for and account.kind not in {RequesterKind.PATIENT, RequesterKind.RELATED}:
        text = "a professional's account cannot act for a patient; give this person a second account"
        raise wrong("--acts-for", text)
    own = tuple(represented for represented in account.patients if represented.person == account.person)
    patients = (*own, *_represented(operator, acts_for)) if acts_for else account.patients
    edited = replace(account, display=display or account.display, patients=patients)
    if edited == account:
        raise wrong(account.login, "nothing would change; say what to change, such as --display")
    ended = factors.edit(operator.runtime, operator.caller, edited)
    click.echo(f"user {account.login} changed; grants ended: {ended}")


@group.command()
@_of_person
def set_password(operator: Operator, account: Account) -> None:
    """Set a new password; end all sessions.

    The command asks for the password, or reads it from standard input. All sessions and grants of the person end.
    """
    password = _new_password(account)
    if not password:
        raise wrong("password", "must not be empty")
    factors.give_password(operator.runtime, operator.caller, account, password)
    click.echo(f"password of {account.login} changed; all sessions and grants ended")


@group.command()
@_of_person
def enrol(operator: Operator, account: Account) -> None:
    """Print a code to set up a first second factor."""
    _print_code(account, factors.give_code(operator.runtime, operator.caller, account))


@group.command()
@_of_person
def reset_factors(operator: Operator, account: Account) -> None:
    """Remove lost second factors; print a new code."""
    ended, code = factors.reset(operator.runtime, operator.caller, account)
    text = f"second factors of {account.login} forgotten; passkeys among them: {ended}"
    click.echo(f"{text}; all sessions and grants ended")
    _print_code(account, code)


@group.command()
@_of_person
def invite(operator: Operator, account: Account) -> None:
    """Print a patient's code to link FranceConnect."""
    if account.disabled:
        raise wrong("LOGIN", f"{account.login} is disabled")
    code = franceconnect_link.invite_patient(operator.runtime, operator.caller, account)
    click.echo(f"code for {account.login}, shown once, good for two weeks: {code}")


@group.command()
@_of_person
def disable(operator: Operator, account: Account) -> None:
    """Disable an account; end its sessions and grants."""
    ended = factors.disable(operator.runtime, operator.caller, account)
    click.echo(f"user {account.login} disabled; grants ended: {ended}")


@group.command()
@_of_person
def enable(operator: Operator, account: Account) -> None:
    """Let a disabled account sign in again."""
    factors.enable(operator.runtime, operator.caller, account)
    click.echo(f"user {account.login} enabled again")
