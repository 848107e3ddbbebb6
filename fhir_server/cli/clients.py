"""`habilis clients …`: which apps and software may ask for tokens; the same checks as dynamic registration."""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import reduce, wraps
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import click
import orjson
from joserfc.jwk import ECKey, RSAKey

from fhir_server import outbound
from fhir_server.application.identity import client_changes, clients
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from fhir_server.application.notices import webhooks
from fhir_server.cli.operators import OneOf, Operator, Run, administers, wrong
from fhir_server.domain.values import ClientId, Json
from fhir_server.oauth.token.client_metadata import SECRET_METHODS, MetadataError, checked
from fhir_server.outbound import Reach

_ARGUMENTS = {
    "client_id": "ID", "client_name": "--name", "redirect_uris": "--redirect-uri", "origins": "--origin",
    "scope": "--scopes", "jwks": "--jwks", "jwks_uri": "--jwks-uri", "token_endpoint_auth_method": "--auth-method",
    "card_reader": "--card-reader", "european": "--eu-health-data",
}  # fmt: skip
"""The argument that gives each element of a registration."""
_HIDDEN = frozenset({"secret_hash", "registration_hash", "organization_display"})


@click.group("clients")
def group() -> None:
    """Register apps and software; change or disable them. Every change is audited."""


def _of_client(command: Run) -> Run:
    """Hand a command the operator and the client that ID names."""

    @click.argument("id_", metavar="ID")
    @administers
    @wraps(command)
    def run(operator: Operator, id_: str, **given: object) -> None:
        client = next((client for client in clients.list_clients(operator.runtime) if client.id == id_), None)
        if client is None:
            raise wrong("ID", f"there is no client {ascii(id_)[1:-1]}; `habilis clients list` shows all clients")
        command(operator, client, **given)

    return run


def _key_set(file: str) -> Json:
    try:
        found = orjson.loads(Path(file).read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ValueError(f"{file} is no JSON") from None
    if not isinstance(found, dict) or not found:
        raise ValueError(f'{file} is no JWK Set: an object with "keys"')
    return found


_JWKS = click.option("--jwks", type=_key_set, metavar="FILE", help="Its public keys, a JWK Set; see make-keys.")
_JWKS_URI = click.option("--jwks-uri", metavar="URL", help="The https address of its public keys.")


def _takes_terms(*, is_new: bool) -> Callable[[Run], Run]:
    """Hand a command what is registered of a client, by the names of the members of Client."""
    scopes = 'The most that it may ask for, such as "patient/DocumentReference.rs openid".'
    method = "How the client authenticates (default: by what the other options give)."
    options = (
        click.option("--name", required=is_new, help="What people read on the consent page."),
        click.option("--scopes", required=is_new, help=scopes),
        click.option("--redirect-uri", "redirect_uris", multiple=True, metavar="URI",
                     help="Where people return after sign-in; repeatable."),
        click.option("--origin", "origins", multiple=True, metavar="ORIGIN",
                     help="Origin of a browser app, for CORS; repeatable."),
        _JWKS,
        _JWKS_URI,
        click.option("--auth-method", type=OneOf(AuthMethod), help=method),
        click.option("--organization", metavar="ID", help="Id of the Organization that runs the software."),
        _flag("--require-par", "par_required", "The client must push its authorization requests."),
        _flag("--require-dpop", "dpop_required", "The client must prove possession of a key."),
        _flag("--certificate-bound", "certificate_bound", "The client's tokens are bound to its TLS certificate."),
        _flag("--introspects", "introspects", "The client may introspect any token."),
        _flag("--trusted-launcher", "trusted_launcher", "The client may create EHR launches."),
        _flag("--intermediary", "intermediary", "The client files documents of others, as an exchange does."),
        _flag("--admissions", "admissions", "The client is the admission system of its establishment."),
        _flag("--card-reader", "card_reader", "The client reads patients' cards and signs what it has read."),
        _flag("--audit-source", "audit_source", "The client posts audit events of its own system (ITI-20)."),
        _flag("--evidence-login", "shows_logins", "The client names professionals only after their own login."),
        _flag("--eu-health-data", "european", "The client follows the EU Health Data API."),
    )  # fmt: skip
    return lambda command: reduce(lambda run, option: option(run), reversed(options), command)


def _flag(option: str, member: str, words: str) -> Callable[[Run], Run]:
    return click.option(f"{option}/--no-{option[2:]}", member, default=None, help=words)


def _given(operator: Operator, arguments: Json) -> Json:
    """Return the members of a client that the arguments give; an argument that is left out gives none."""
    found = {name: value for name, value in arguments.items() if value is not None and value != ()}
    if place := found.pop("organization", None):
        display = str(operator.demand("--organization", "Organization", place).get("name", ""))
        found |= {"organization": f"Organization/{place}", "organization_display": display}
    return found


def _checked(client: Client) -> Client:
    """Check a client; an error names the command's argument."""
    try:
        return checked(client)
    except MetadataError as error:
        raise wrong(_ARGUMENTS.get(error.element, error.element), error.text) from error


@group.command()
@click.argument("id_", metavar="ID")
@click.option("--kind", type=OneOf(ClientKind), required=True, help="The kind of software.")
@_takes_terms(is_new=True)
@click.option("--secret", "has_secret", is_flag=True, help="Make a secret, and print it once.")
@administers
def add(operator: Operator, id_: str, kind: ClientKind, *, has_secret: bool, **terms: Any) -> None:  # noqa: ANN401 - members of Client
    """Register an app or software.

    ID is its client_id.

    \b
    An app:    habilis clients add my-app --name "My app" --kind patient-app \\
                 --scopes "openid patient/DocumentReference.rs" --redirect-uri https://app.example/cb
    Software:  habilis clients add my-ehr --name "My EHR" --kind backend \\
                 --scopes "system/DocumentReference.c" --jwks public-keys.json
    """  # noqa: D301 - click does not join lines below \b
    method = _method(terms, has_secret=has_secret)
    secret = token_urlsafe(32) if method in SECRET_METHODS else None
    kept = clients.hash_secret(secret) if secret else ""
    members = _given(operator, terms) | {"auth_method": method, "secret_hash": kept}
    client = _checked(replace(Client(ClientId(id_), "", kind), **members))
    if clients.is_known(operator.runtime, client.id):
        raise wrong("ID", f"there is a client {client.id} already")
    told = f"{client.kind.value}, {method.value}, {client.scopes}"
    client_changes.register_client(operator.runtime, operator.caller, client, told)
    click.echo(f"client {client.id} registered ({method.value})")
    if secret:
        click.echo(f"secret, shown once: {secret}")


def _method(terms: Json, *, has_secret: bool) -> AuthMethod:
    """Return how a new client authenticates: as the arguments say, or as the other arguments imply."""
    has_keys = bool(terms["jwks"] or terms["jwks_uri"])
    implied = AuthMethod.PRIVATE_KEY_JWT if has_keys else AuthMethod.BASIC if has_secret else AuthMethod.NONE
    method: AuthMethod = terms["auth_method"] or implied
    if has_secret and method not in SECRET_METHODS:
        raise wrong("--secret", "a client with keys, or without authentication, has no secret")
    return method


@group.command("list")
@administers
def list_(operator: Operator) -> None:
    """List all clients."""
    for client in clients.list_clients(operator.runtime):
        state = "disabled" if client.disabled else "in use"
        click.echo(f"{client.id}\t{client.kind.value}\t{client.auth_method.value}\t{state}\t{client.scopes}")


@group.command()
@_of_client
def show(operator: Operator, client: Client) -> None:
    """Show what is registered of a client, without secrets."""
    shown = {name: value for name, value in asdict(client).items() if name not in _HIDDEN}
    called = webhooks.find(operator.runtime, client.id)
    shown["webhook"] = (
        {"url": called.url, "failures": called.failures, "stopped": bool(called.stopped_at)} if called else None
    )
    shown["registered_by"] = "itself" if client.registration_hash else "an operator"
    click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))


@group.command()
@_takes_terms(is_new=False)
@_of_client
def edit(operator: Operator, client: Client, **terms: Any) -> None:  # noqa: ANN401 - members of Client
    """Change what is registered of a client.

    What is left out stays as it is. A change of scopes, organization or authentication ends all its grants.
    """
    given = _given(operator, terms)
    method = given.get("auth_method", client.auth_method)
    if method is not client.auth_method and method not in SECRET_METHODS:
        given["secret_hash"] = ""
    elif method is not client.auth_method and not client.secret_hash:
        raise wrong("--auth-method", f"{client.id} has no secret; register it anew with --secret")
    if "jwks" in given:
        given.setdefault("jwks_uri", "")
    elif given.get("jwks_uri"):
        given["jwks"] = {}
    changed = sorted(name for name, value in given.items() if getattr(client, name) != value)
    if not changed:
        raise wrong(client.id, "nothing would change; say what to change, such as --name")
    edited = _checked(replace(client, **given))
    ended = client_changes.edit_client(operator.runtime, operator.caller, edited, changed)
    click.echo(f"client {client.id} changed ({', '.join(changed)}); grants ended: {ended}")


@group.command()
@_of_client
def disable(operator: Operator, client: Client) -> None:
    """Disable a client; end all its grants."""
    ended = client_changes.disable_client(operator.runtime, operator.caller, client)
    click.echo(f"client {client.id} disabled; grants ended: {ended}")


@group.command()
@_of_client
def enable(operator: Operator, client: Client) -> None:
    """Let a disabled client ask for tokens again.

    Its ended grants stay ended.
    """
    client_changes.enable_client(operator.runtime, operator.caller, client)
    click.echo(f"client {client.id} enabled again")


@group.command()
@_JWKS
@_JWKS_URI
@_of_client
def rotate(operator: Operator, client: Client, jwks: Json | None, jwks_uri: str | None) -> None:
    """Replace the keys or the secret of a client.

    Give the new keys by --jwks or --jwks-uri. Without both, the command makes a new secret and prints it once.
    """
    if jwks or jwks_uri:
        changed = _checked(replace(client, jwks=jwks or {}, jwks_uri=jwks_uri or ""))
        if client.auth_method is not AuthMethod.PRIVATE_KEY_JWT:
            raise wrong("--jwks", f"{client.id} authenticates by {client.auth_method.value}, not by keys")
        what, told = "keys", f"keys of {client.id} replaced"
    else:
        if not client.secret_hash:
            raise wrong(client.id, "it has no secret; give its new public keys with --jwks")
        secret = token_urlsafe(32)
        changed = replace(client, secret_hash=clients.hash_secret(secret))
        what, told = "secret", f"new secret of {client.id}, shown once: {secret}"
    client_changes.rekey_client(operator.runtime, operator.caller, changed, what)
    click.echo(told)


@group.command()
@click.option("--url", metavar="URL", help="The https address that is called about each new notice.")
@click.option("--off", is_flag=True, help="Stop calling this app.")
@_of_client
def webhook(operator: Operator, client: Client, url: str | None, *, off: bool) -> None:
    """Have an app called about new notices that it may read.

    The command prints the secret that signs the calls, once. The previous secret stays valid for a day.
    The command also restarts calls that the server has stopped.
    """
    if bool(url) is off:
        raise wrong("--url", "say either --url or --off")
    if url and not outbound.is_wellformed(url, Reach.PUBLIC):
        raise wrong("--url", "it must be an https address without a user")
    if not url:
        webhooks.forget_address(operator.runtime, operator.caller, client)
        click.echo(f"client {client.id} is no longer called")
        return
    secret = webhooks.register_address(operator.runtime, operator.caller, client, url)
    click.echo(f"client {client.id} is called at {url}")
    click.echo(f"secret, shown once: {secret}")


@group.command()
@click.argument("private", metavar="PRIVATE-FILE")
@click.argument("public", metavar="PUBLIC-FILE")
@click.option("--algorithm", type=click.Choice(("ES384", "RS384")), default="ES384", show_default=True,
              help="An elliptic curve (P-384), or RSA with 3072 bits.")  # fmt: skip
def make_keys(private: str, public: str, algorithm: str) -> None:
    """Make a key pair for software.

    PRIVATE-FILE is for the software alone. PUBLIC-FILE is a JWK Set for --jwks.
    """
    names: Any = {"kid": token_urlsafe(12), "alg": algorithm, "use": "sig"}
    is_rsa = algorithm == "RS384"
    key = RSAKey.generate_key(3072, names) if is_rsa else ECKey.generate_key("P-384", names)
    _write(private, key.as_dict(private=True), 0o600)
    _write(public, {"keys": [key.as_dict(private=False)]}, 0o644)
    click.echo(f"{private} is for the software alone; {public} is for habilis clients add --jwks")


def _write(name: str, value: object, mode: int) -> None:
    """Write a new file; never overwrite an old one, which may be the only copy of a key."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise wrong(name, "there is such a file already; it is left as it is") from None
    with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode of the file
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
