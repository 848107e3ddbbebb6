"""`habilis users …`: people who sign in here, what they may act for, and how they prove who they are."""

import argparse
import getpass
import sys
from dataclasses import replace
from typing import Any

from consent_rules.vocabulary import Capacity, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory import professionals
from fhir_server.application.identity import accounts, credentials, franceconnect_link
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient
from fhir_server.application.identity.credentials import Act
from fhir_server.application.identity.passwords import weakness
from fhir_server.cli.administering import ArgumentProblem, Commands, add_deed, demand
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Json
from fhir_server.oauth.login import factors, passkeys

_NAME_LIMIT = 200


def add_parser(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    words = "give people accounts: add, list, show, edit, disable, set-password, reset-factors"
    deeds = commands.add_parser("users", help=words).add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_adding(add_deed(deeds, "add", "add a person; the password is asked for, or read from standard input", _add))
    add_deed(deeds, "list", "list all accounts", _list)
    edit = _of_one(deeds, "edit", "change a person's name, or the patients for whom the person acts", _edit)
    edit.add_argument("--display", help="the name that the audit log and the pages show")
    _add_charges(edit, "replaces the earlier ones; repeatable")
    _of_one(deeds, "show", "show an account: what it may do, how it signs in, what changed recently", _show)
    _of_one(deeds, "set-password", "set a new password for a person; ends all their sessions", _password)
    _of_one(deeds, "enrol", "make the code with which a person sets up their first second factor", _enrol)
    _of_one(deeds, "reset-factors", "remove second factors that a person has lost; prints a new code", _reset)
    _of_one(deeds, "invite", "make the one-time code with which a patient links FranceConnect", _invite)
    _of_one(deeds, "disable", "disable an account, and end its sessions and grants", _disable)
    _of_one(deeds, "enable", "let a disabled account sign in again", _enable)


def _of_one(deeds: "Commands[argparse.ArgumentParser]", name: str, words: str, command: Any) -> Any:  # noqa: ANN401 - as in add_deed
    parser = add_deed(deeds, name, words, command)
    parser.add_argument("login", metavar="LOGIN")
    return parser


def _add_adding(add: argparse.ArgumentParser) -> None:
    add.add_argument("login", metavar="LOGIN", help="the user name, typed at every sign-in")
    add.add_argument("--display", required=True, help="the name that the audit log and the pages show")
    add.add_argument("--patient", default="", metavar="ID", help="id of this person's own Patient")
    _add_charges(add, "for a guardian or a carer; repeatable")
    add.add_argument("--practitioner", default="", metavar="ID", help="id of this person's own Practitioner")
    add.add_argument(
        "--role", default="", metavar="ID", help="id of the PractitionerRole; it gives organization and profession"
    )
    add.add_argument("--organization", default="", metavar="ID", help="id of the Organization of the practice")
    add.add_argument("--profession", default="", metavar="CODE", help="code of the matrix row, such as 10 or 70")
    posts = [capacity.value for capacity in Capacity if capacity]
    add.add_argument("--capacity", choices=posts, help="the person's post there, when the rules depend on it")
    add.add_argument("--regulator", action="store_true", help="a regulating physician of an emergency call centre")
    add.add_argument(
        "--auditor", action="store_true", help="may read the audit log and review emergencies, but read no document"
    )
    words = '"8" and the RPPS number, for sign-in through an identity provider'
    add.add_argument("--national-id", default="", metavar="NUMBER", help=words)


def _add_charges(parser: argparse.ArgumentParser, words: str) -> None:
    text = f"id of the RelatedPerson under which this person acts for a patient; {words}"
    parser.add_argument("--acts-for", action="append", metavar="ID", help=text)


# --- who the person is ------------------------------------------------------------------------------------------------


def _check_names(runtime: Runtime, options: argparse.Namespace) -> None:
    """Check that names and logins have visible characters only, and that a national number belongs to one account."""
    login = options.login
    if not login.isprintable() or login != "".join(login.split()) or not 0 < len(login) <= accounts.LOGIN_LIMIT:
        raise ArgumentProblem("LOGIN", f"must have 1 to {accounts.LOGIN_LIMIT} visible characters without blanks")
    _check_display(options.display)
    number = options.national_id
    if number and not (number.isascii() and number.isalnum()):
        raise ArgumentProblem("--national-id", "must be letters and digits")
    if number and accounts.find_by_national_id(runtime, number):
        raise ArgumentProblem("--national-id", "another account has this number")


def _check_display(name: str) -> None:
    if not name.strip() or not name.isprintable() or len(name) > _NAME_LIMIT:
        raise ArgumentProblem("--display", f"must have 1 to {_NAME_LIMIT} visible characters")


def _account(runtime: Runtime, options: argparse.Namespace) -> Account:
    is_holder = bool(options.patient or options.acts_for)
    if is_holder == bool(options.practitioner):
        raise ArgumentProblem("--patient", "give either --practitioner, or --patient or --acts-for")
    if is_holder and (options.auditor or options.regulator or options.role or options.profession):
        raise ArgumentProblem("--patient", "an auditor, a regulator or a professional needs --practitioner instead")
    return _holder(runtime, options) if is_holder else _professional(runtime, options)


def _holder(runtime: Runtime, options: argparse.Namespace) -> Account:
    """Return the account of a patient, of a guardian or carer, or of a person who is both."""
    represented_patients = _charges(runtime, options.acts_for or ())
    if not options.patient:
        first = represented_patients[0]
        return Account(options.login, first.kind, first.person, options.display, patients=represented_patients)
    demand(runtime, "--patient", "Patient", options.patient)
    own = RepresentedPatient(options.patient, f"Patient/{options.patient}", options.display)
    return Account(
        options.login, RequesterKind.PATIENT, own.person, options.display, patients=(own, *represented_patients)
    )


def _charges(runtime: Runtime, related: Any) -> tuple[RepresentedPatient, ...]:  # noqa: ANN401 - a list of ids
    found = []
    for id_ in related:
        person = demand(runtime, "--acts-for", "RelatedPerson", id_)
        patient = str(person.get("patient", {}).get("reference", "")).removeprefix("Patient/")
        label = _name(demand(runtime, "--acts-for", "Patient", patient)) or patient
        found.append(RepresentedPatient(patient, f"RelatedPerson/{id_}", label))
    return tuple(found)


def _name(patient: Json) -> str:
    name: Json = next(iter(patient.get("name", ())), {})
    return str(name.get("text") or " ".join(filter(None, (*name.get("given", ()), name.get("family", "")))))


def _professional(runtime: Runtime, options: argparse.Namespace) -> Account:
    demand(runtime, "--practitioner", "Practitioner", options.practitioner)
    person = f"Practitioner/{options.practitioner}"
    if options.auditor:
        return Account(options.login, RequesterKind.AUDITOR, person, options.display, national_id=options.national_id)
    return Account(
        options.login, RequesterKind.PROFESSIONAL, person, options.display, (_practice(runtime, options, person),),
        national_id=options.national_id, regulator=options.regulator,
    )  # fmt: skip


def _practice(runtime: Runtime, options: argparse.Namespace, person: str) -> PractitionerRoleRef:
    """Return the practice situation: from the directory if --role is given, otherwise from the other arguments."""
    if options.role:
        return _of_directory(runtime, options, person)
    if not options.profession:
        raise ArgumentProblem("--role", "a professional needs --role, or --profession and --organization")
    if not runtime.matrix.kinds_for(options.profession):
        raise ArgumentProblem("--profession", f"the matrix in force has no row {ascii(options.profession)[1:-1]}")
    place = demand(runtime, "--organization", "Organization", options.organization) if options.organization else {}
    name = str(place.get("name", ""))
    reference = f"Organization/{options.organization}" if options.organization else ""
    return PractitionerRoleRef(
        "", reference, name, options.profession, label=name, capacity=Capacity(options.capacity or "")
    )


def _of_directory(runtime: Runtime, options: argparse.Namespace, person: str) -> PractitionerRoleRef:
    role = demand(runtime, "--role", "PractitionerRole", options.role)
    if role.get("practitioner", {}).get("reference") != person:
        raise ArgumentProblem("--role", f"PractitionerRole {options.role} belongs to somebody else")
    practice = professionals.practice_of(runtime, role | {"id": options.role})
    if practice is None:
        raise ArgumentProblem("--role", f"PractitionerRole {options.role} has ended, or names no profession")
    if options.profession not in {"", practice.profession}:
        raise ArgumentProblem("--profession", f"the directory says {practice.profession} in that role")
    if options.organization and f"Organization/{options.organization}" != practice.organization:
        raise ArgumentProblem("--organization", f"the directory says {practice.organization} in that role")
    return replace(practice, capacity=Capacity(options.capacity)) if options.capacity else practice


# --- subcommands ------------------------------------------------------------------------------------------------------


def _add(runtime: Runtime, options: argparse.Namespace) -> None:
    _check_names(runtime, options)
    account = _account(runtime, options)
    if accounts.find_account(runtime, account.login):
        raise ArgumentProblem("LOGIN", f"there is a user {account.login} already")
    password = _new_password(account)
    operator = Caller.of_operator(options.by)
    credentials.record(runtime, operator, account, Act.ADD)
    stored = accounts.add_account(runtime, account, password)
    print(f"user {stored.login} added")
    if password:
        _print_code(stored, credentials.issue_code(runtime, stored))
    else:
        print("without a password, this person can sign in only through an identity provider")


def _new_password(account: Account) -> str:
    """Ask for a password, twice at a terminal; with an empty one the person can sign in at a provider only.

    Raises: ArgumentProblem when the password is weak.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("password (empty: sign-in only through an identity provider): ")
        if password and getpass.getpass("the same password again: ") != password:
            raise ArgumentProblem("password", "the two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    weak = weakness(password, (account.login, account.display)) if password else None
    if weak:
        raise ArgumentProblem("password", weak.value)
    return password


def _print_code(account: Account, code: str) -> None:
    text = "give it to the person separately from the password"
    print(f"code for a first second factor of {account.login}, shown once, good for seven days; {text}: {code}")


def _list(runtime: Runtime, _options: argparse.Namespace) -> None:
    for account in accounts.list_accounts(runtime):
        state = "disabled" if account.disabled else "in use"
        print(f"{account.login}\t{account.kind.value}\t{account.person}\t{state}")


def _show(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    print(f"{account.login}: {account.display}, {account.kind.value}, {account.person}")
    print("disabled" if account.disabled else "in use")
    for practice in account.practices:
        where = practice.organization or "no organization"
        print(f"practises as {practice.profession} at {where} ({practice.role or 'no role of the directory'})")
    for charge in account.patients:
        print(f"acts for Patient/{charge.patient} as {charge.person}")
    means = ["password"] * accounts.has_password(runtime, account) + ["authenticator app"] * bool(account.totp)
    means += [f"passkey “{passkey.name}”" for passkey in passkeys.of(runtime, account)]
    print(f"signs in by: {', '.join(means) or 'an identity provider only'}")
    for news in credentials.news_of(runtime, account):
        print(f"{news.at:%Y-%m-%d %H:%M} UTC {news.act.value} by {'the person' if news.by_owner else 'an operator'}")


def _edit(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    if options.display is not None:
        _check_display(options.display)
    own = tuple(charge for charge in account.patients if charge.person == account.person)
    patients = (*own, *_charges(runtime, options.acts_for)) if options.acts_for else account.patients
    if options.acts_for and account.kind not in {RequesterKind.PATIENT, RequesterKind.RELATED}:
        raise ArgumentProblem(
            "--acts-for", "a professional's account cannot act for a patient; give this person a second account"
        )
    edited = replace(account, display=options.display or account.display, patients=patients)
    if edited == account:
        raise ArgumentProblem(account.login, "nothing would change; say what to change, such as --display")
    ended = factors.edit(runtime, Caller.of_operator(options.by), edited)
    print(f"user {account.login} changed; grants ended: {ended}")


def _password(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    password = _new_password(account)
    if not password:
        raise ArgumentProblem("password", "must not be empty")
    factors.give_password(runtime, Caller.of_operator(options.by), account, password)
    print(f"password of {account.login} changed; all sessions and grants ended")


def _enrol(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    _print_code(account, factors.give_code(runtime, Caller.of_operator(options.by), account))


def _reset(runtime: Runtime, options: argparse.Namespace) -> None:
    account, operator = _known(runtime, options), Caller.of_operator(options.by)
    ended = factors.reset(runtime, operator, account)
    print(f"second factors of {account.login} forgotten; passkeys among them: {ended}; all sessions and grants ended")
    _print_code(account, credentials.issue_code(runtime, account))


def _invite(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    if account.disabled:
        raise ArgumentProblem("LOGIN", f"{account.login} is disabled")
    code = franceconnect_link.invite(runtime, account)
    credentials.record(runtime, Caller.of_operator(options.by), account, Act.INVITE)
    print(f"code for {account.login}, shown once, good for two weeks: {code}")


def _disable(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    ended = factors.disable(runtime, Caller.of_operator(options.by), account)
    print(f"user {account.login} disabled; grants ended: {ended}")


def _enable(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _known(runtime, options)
    factors.enable(runtime, Caller.of_operator(options.by), account)
    print(f"user {account.login} enabled again")


def _known(runtime: Runtime, options: argparse.Namespace) -> Account:
    account = accounts.find_account(runtime, options.login)
    if account is None:
        text = f"there is no user {ascii(options.login)[1:-1]}; `habilis users list` shows all users"
        raise ArgumentProblem("LOGIN", text)
    return account
