"""`habilis clients …` and `habilis users …`: who may ask for tokens."""

import argparse
import getpass
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe

import orjson

from consent_rules.vocabulary import Capacity, RequesterKind
from fhir_server.app import build_runtime
from fhir_server.application import accounts, app_authorization, clients, linking
from fhir_server.application.accounts import Account, Charge, Practice
from fhir_server.application.clients import AuthMethod, Client, ClientKind
from fhir_server.application.runtime import Runtime
from fhir_server.oauth import passkeys
from fhir_server.settings import Settings, SettingsError

Command = Callable[[Runtime, argparse.Namespace], None]
Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse names the type of add_subparsers nowhere else


def add_parsers(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add both commands to the command line."""
    _add_clients(commands.add_parser("clients", help="register, list, disable or re-key apps and software"))
    _add_users(commands.add_parser("users", help="add, list or disable people who log in"))


def _add_clients(parser: argparse.ArgumentParser) -> None:
    deeds = parser.add_subparsers(title="deeds", required=True, metavar="DEED")
    add = deeds.add_parser("add", help="register a client")
    add.add_argument("id")
    add.add_argument("--name", required=True, help="what people read on the consent page")
    add.add_argument("--kind", choices=[kind.value for kind in ClientKind], required=True)
    add.add_argument("--scopes", required=True, help='the ceiling, such as "patient/DocumentReference.rs openid"')
    add.add_argument("--redirect-uri", action="append", default=[], metavar="URI")
    add.add_argument("--origin", action="append", default=[], help="origin of a browser app")
    add.add_argument("--jwks", metavar="FILE", help="public keys of private_key_jwt, a JWK Set")
    add.add_argument("--jwks-uri", default="", metavar="URL", help="address of the public keys")
    add.add_argument("--secret", action="store_true", help="make a secret and print it once")
    add.add_argument("--organization", default="", metavar="ID", help="id of the Organization that runs the software")
    _add_demands(add)
    _set(add, _add_client)
    _set(deeds.add_parser("list", help="list all clients"), _list_clients)
    disable = deeds.add_parser("disable", help="stop a client and end all its grants")
    disable.add_argument("id")
    _set(disable, _disable_client)
    rotate = deeds.add_parser("rotate", help="replace the keys (--jwks) or the secret of a client")
    rotate.add_argument("id")
    rotate.add_argument("--jwks", metavar="FILE")
    _set(rotate, _rotate_client)


def _add_demands(add: argparse.ArgumentParser) -> None:
    """Add what a client must do, and what it may beyond others."""
    add.add_argument("--require-par", action="store_true", help="it must push its authorization requests")
    add.add_argument("--require-dpop", action="store_true", help="it must prove possession of a key")
    add.add_argument("--certificate-bound", action="store_true", help="its tokens are bound to its TLS certificate")
    add.add_argument("--introspects", action="store_true", help="it may ask about any token")
    add.add_argument("--trusted-launcher", action="store_true", help="it may make EHR launch handles")


def _add_users(parser: argparse.ArgumentParser) -> None:
    deeds = parser.add_subparsers(title="deeds", required=True, metavar="DEED")
    add = deeds.add_parser("add", help="add a person; the password is asked for, or read from standard input")
    add.add_argument("login")
    add.add_argument("--display", required=True, help="the name that traces and pages show")
    add.add_argument("--patient", metavar="ID", help="id of the Patient whom this person is")
    add.add_argument("--practitioner", metavar="ID", help="id of the Practitioner whom this person is")
    add.add_argument("--role", default="", metavar="ID", help="id of the PractitionerRole")
    add.add_argument("--organization", default="", metavar="ID", help="id of the Organization of the practice")
    add.add_argument("--profession", default="", metavar="CODE", help="code of the matrix row, such as 10 or 70")
    posts = [capacity.value for capacity in Capacity if capacity]
    add.add_argument("--capacity", default="", choices=posts, help="the post held there, when it changes the rules")
    add.add_argument("--regulator", action="store_true", help="a regulating physician of an emergency call centre")
    add.add_argument("--auditor", action="store_true", help="reads traces and reviews emergencies, and no document")
    add.add_argument(
        "--national-id", default="", metavar="NUMBER", help='"8" and the RPPS number, for sign-in upstream'
    )
    _set(add, _add_user)
    _set(deeds.add_parser("list", help="list all accounts"), _list_users)
    invite = deeds.add_parser("invite", help="make the one-time code by which a patient links FranceConnect")
    invite.add_argument("login")
    _set(invite, _invite_user)
    reset = deeds.add_parser("reset-factors", help="forget the second factors of somebody who has lost them")
    reset.add_argument("login")
    _set(reset, _reset_factors)
    disable = deeds.add_parser("disable", help="stop an account and end all its grants")
    disable.add_argument("login")
    _set(disable, _disable_user)


def _set(parser: argparse.ArgumentParser, command: Command) -> None:
    def run(settings: Settings, options: argparse.Namespace) -> int:
        served = build_runtime(settings)
        try:
            command(served, options)
        except (ValueError, KeyError, OSError) as error:
            raise SettingsError(str(error.args[0] if error.args else error)) from error
        finally:
            served.ports.store.close()
        return 0

    parser.set_defaults(run=run)


def _add_client(runtime: Runtime, options: argparse.Namespace) -> None:
    secret = token_urlsafe(32) if options.secret else ""
    client = Client(
        id=options.id,
        name=options.name,
        kind=ClientKind(options.kind),
        redirect_uris=tuple(options.redirect_uri),
        scopes=options.scopes,
        auth_method=_method(options),
        jwks=_keys(options.jwks),
        jwks_uri=options.jwks_uri,
        secret_hash=clients.hash_secret(secret) if secret else "",
        organization=f"Organization/{options.organization}" if options.organization else "",
        origins=tuple(options.origin),
        dpop_required=options.require_dpop,
        par_required=options.require_par,
        certificate_bound=options.certificate_bound,
        introspects=options.introspects,
        trusted_launcher=options.trusted_launcher,
    )
    clients.register(runtime, client)
    print(f"client {client.id} registered ({client.auth_method.value})")
    if secret:
        print(f"secret, shown once: {secret}")


def _method(options: argparse.Namespace) -> AuthMethod:
    if options.jwks or options.jwks_uri:
        return AuthMethod.PRIVATE_KEY_JWT
    return AuthMethod.BASIC if options.secret else AuthMethod.NONE


def _keys(file: str | None) -> dict[str, object]:
    if file is None:
        return {}
    keys: dict[str, object] = orjson.loads(Path(file).read_bytes())
    if any("d" in key or "k" in key for key in keys.get("keys", ())):  # type: ignore[attr-defined]
        raise ValueError(f"{file} holds a private key; register the public half only")
    return keys


def _list_clients(runtime: Runtime, _options: argparse.Namespace) -> None:
    for client in clients.list_clients(runtime):
        state = "disabled" if client.disabled else "in use"
        print(f"{client.id}\t{client.kind.value}\t{client.auth_method.value}\t{state}\t{client.scopes}")


def _client(runtime: Runtime, id_: str) -> Client:
    found = next((client for client in clients.list_clients(runtime) if client.id == id_), None)
    if found is None:
        raise ValueError(f"there is no client {id_}")
    return found


def _disable_client(runtime: Runtime, options: argparse.Namespace) -> None:
    clients.change(runtime, replace(_client(runtime, options.id), disabled=True))
    ended = app_authorization.revoke_client(runtime, options.id)
    print(f"client {options.id} disabled; entries of its grants ended: {ended}")


def _rotate_client(runtime: Runtime, options: argparse.Namespace) -> None:
    client = _client(runtime, options.id)
    if options.jwks:
        clients.change(runtime, replace(client, jwks=_keys(options.jwks), jwks_uri=""))
        print(f"keys of {client.id} replaced")
        return
    if not client.secret_hash:
        raise ValueError(f"{client.id} has no secret; give its new public keys with --jwks")
    secret = token_urlsafe(32)
    clients.change(runtime, replace(client, secret_hash=clients.hash_secret(secret)))
    print(f"new secret of {client.id}, shown once: {secret}")


def _add_user(runtime: Runtime, options: argparse.Namespace) -> None:
    account = _account(options)
    accounts.add_account(runtime, account, _password())
    print(f"user {account.login} added")


def _account(options: argparse.Namespace) -> Account:
    if bool(options.patient) == bool(options.practitioner):
        raise ValueError("say either --patient or --practitioner")
    if options.patient and options.auditor:
        raise ValueError("an auditor is named by --practitioner")
    if options.patient:
        person = f"Patient/{options.patient}"
        charge = Charge(options.patient, person, options.display)
        return Account(options.login, RequesterKind.PATIENT, person, options.display, patients=(charge,))
    if options.auditor:
        person = f"Practitioner/{options.practitioner}"
        return Account(options.login, RequesterKind.AUDITOR, person, options.display, national_id=options.national_id)
    practice = Practice(
        role=f"PractitionerRole/{options.role}" if options.role else "",
        organization=f"Organization/{options.organization}" if options.organization else "",
        organization_display="",
        profession=options.profession,
        capacity=Capacity(options.capacity),
    )
    return Account(
        options.login,
        RequesterKind.PROFESSIONAL,
        f"Practitioner/{options.practitioner}",
        options.display,
        practices=(practice,),
        national_id=options.national_id,
        regulator=options.regulator,
    )


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("password: ")
    return sys.stdin.readline().rstrip("\n")


def _list_users(runtime: Runtime, _options: argparse.Namespace) -> None:
    for account in accounts.list_accounts(runtime):
        state = "disabled" if account.disabled else "in use"
        print(f"{account.login}\t{account.kind.value}\t{account.person}\t{state}")


def _invite_user(runtime: Runtime, options: argparse.Namespace) -> None:
    account = accounts.find_account(runtime, options.login)
    if account is None or account.disabled:
        raise ValueError(f"there is no user {options.login}")
    print(f"code for {account.login}, shown once, good for two weeks: {linking.invite(runtime, account)}")


def _reset_factors(runtime: Runtime, options: argparse.Namespace) -> None:
    account = accounts.find_account(runtime, options.login)
    if account is None:
        raise ValueError(f"there is no user {options.login}")
    accounts.change_account(runtime, replace(account, totp=""))
    ended = sum(passkeys.remove(runtime, account, passkey.id) for passkey in passkeys.of(runtime, account))
    app_authorization.revoke_person(runtime, account.subject)
    print(f"second factors of {account.login} forgotten; passkeys among them: {ended}; all its grants ended")


def _disable_user(runtime: Runtime, options: argparse.Namespace) -> None:
    account = accounts.find_account(runtime, options.login)
    if account is None:
        raise ValueError(f"there is no user {options.login}")
    accounts.change_account(runtime, replace(account, disabled=True))
    ended = app_authorization.revoke_person(runtime, account.subject)
    print(f"user {account.login} disabled; entries of grants ended: {ended}")
