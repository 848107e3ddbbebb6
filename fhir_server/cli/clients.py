"""`habilis clients …`: which apps and software may ask for tokens; the same checks as dynamic registration."""

import argparse
import os
from dataclasses import asdict, replace
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import orjson
from joserfc.jwk import ECKey, RSAKey

from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import clients, grants
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from fhir_server.cli.administering import ArgumentProblem, Commands, add_deed, demand, naming
from fhir_server.domain.values import Json
from fhir_server.oauth.token.client_metadata import SECRET_METHODS, checked
from fhir_server.settings.server import Settings

_ARGUMENTS = {
    "client_id": "ID", "client_name": "--name", "redirect_uris": "--redirect-uri", "origins": "--origin",
    "scope": "--scopes", "jwks": "--jwks", "jwks_uri": "--jwks-uri", "token_endpoint_auth_method": "--auth-method",
}  # fmt: skip
_FLAGS = {
    "par_required": ("--require-par", "the client must push its authorization requests"),
    "dpop_required": ("--require-dpop", "the client must prove possession of a key"),
    "certificate_bound": ("--certificate-bound", "the client's tokens are bound to its TLS certificate"),
    "introspects": ("--introspects", "the client may introspect any token"),
    "trusted_launcher": ("--trusted-launcher", "the client may create EHR launches"),
}
_ENDS_GRANTS = frozenset({"scopes", "organization", "auth_method"})
"""Members of a client whose change ends its grants, because the grants were given under the old ones."""
_HIDDEN = frozenset({"secret_hash", "registration_hash", "organization_display"})
_ALGORITHMS = {"ES384": "an elliptic curve, P-384 (the default)", "RS384": "RSA, 3072 bits"}


def add_parser(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("clients", help="register apps and software: add, list, show, edit, disable, re-key")
    deeds = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = add_deed(deeds, "add", "register an app or software", _add)
    add.add_argument("id", metavar="ID", help="its client_id, such as my-app")
    add.add_argument("--kind", choices=[kind.value for kind in ClientKind], required=True, help="the kind of software")
    _add_terms(add, is_new=True)
    add_deed(deeds, "list", "list all clients", _list)
    add_deed(deeds, "show", "show all that is registered of a client, without secrets", _show).add_argument("id")
    edit = add_deed(deeds, "edit", "change what is registered; what is left out stays as it is", _edit)
    edit.add_argument("id")
    _add_terms(edit, is_new=False)
    add_deed(deeds, "disable", "disable a client and end all its grants", _disable).add_argument("id")
    add_deed(
        deeds, "enable", "let a disabled client ask for tokens again; its ended grants stay ended", _enable
    ).add_argument("id")
    rotate = add_deed(deeds, "rotate", "replace the keys (--jwks or --jwks-uri) or the secret of a client", _rotate)
    rotate.add_argument("id")
    _add_keys(rotate)
    _add_key_making(deeds)


def _add_terms(parser: argparse.ArgumentParser, *, is_new: bool) -> None:
    parser.add_argument("--name", required=is_new, help="what people read on the consent page")
    parser.add_argument(
        "--scopes", required=is_new, help='the most that it may ask for, such as "patient/DocumentReference.rs openid"'
    )
    parser.add_argument(
        "--redirect-uri", action="append", metavar="URI", help="where people return after sign-in; repeatable"
    )
    parser.add_argument("--origin", action="append", help="origin of a browser app, for CORS; repeatable")
    _add_keys(parser)
    methods = [method.value for method in AuthMethod]
    parser.add_argument(
        "--auth-method", choices=methods, help="how the client authenticates (default: by what the other options give)"
    )
    if is_new:
        parser.add_argument("--secret", action="store_true", help="make a secret and print it once")
    parser.add_argument("--organization", metavar="ID", help="id of the Organization that runs the software")
    for member, (flag, words) in _FLAGS.items():
        parser.add_argument(flag, dest=member, action=argparse.BooleanOptionalAction, default=None, help=words)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jwks", metavar="FILE", help="public keys of private_key_jwt, a JWK Set; see make-keys")
    parser.add_argument("--jwks-uri", metavar="URL", help="https address of the public keys")


def _add_key_making(deeds: "Commands[argparse.ArgumentParser]") -> None:
    words = "make a key pair for software: a private key for it, a JWK Set for --jwks"
    parser = deeds.add_parser("make-keys", help=words, description=f"{words}.")
    parser.add_argument("private", metavar="PRIVATE-FILE")
    parser.add_argument("public", metavar="PUBLIC-FILE")
    known = "; ".join(f"{name}: {text}" for name, text in _ALGORITHMS.items())
    parser.add_argument("--algorithm", choices=list(_ALGORITHMS), default="ES384", help=known)
    parser.set_defaults(run=_make_keys)


# --- subcommands ------------------------------------------------------------------------------------------------------


def _add(runtime: Runtime, options: argparse.Namespace) -> None:
    method = _method(options)
    secret = token_urlsafe(32) if method in SECRET_METHODS else ""
    bare = Client(options.id, "", ClientKind(options.kind), auth_method=method)
    kept = clients.hash_secret(secret) if secret else ""
    with naming(_ARGUMENTS):
        client = checked(replace(bare, secret_hash=kept, **_given(runtime, options)))
    if clients.is_known(runtime, client.id):
        raise ArgumentProblem("ID", f"there is a client {client.id} already")
    _trace(runtime, options, "register-client", f"{client.kind.value}, {method.value}, {client.scopes}")
    clients.register(runtime, client)
    print(f"client {client.id} registered ({method.value})")
    if secret:
        print(f"secret, shown once: {secret}")


def _method(options: argparse.Namespace) -> AuthMethod:
    """Return how a new client authenticates: as the arguments say, or as the other arguments imply."""
    has_keys = bool(options.jwks or options.jwks_uri)
    implied = AuthMethod.PRIVATE_KEY_JWT if has_keys else AuthMethod.BASIC if options.secret else AuthMethod.NONE
    method = AuthMethod(options.auth_method) if options.auth_method else implied
    if options.secret and method not in SECRET_METHODS:
        raise ArgumentProblem("--secret", "a client with keys, or without authentication, has no secret")
    return method


def _given(runtime: Runtime, options: argparse.Namespace) -> Json:
    """Return the members of a client that the arguments give, by the names of the members."""
    found: Json = {
        "name": options.name,
        "scopes": options.scopes,
        "redirect_uris": tuple(options.redirect_uri) if options.redirect_uri else None,
        "origins": tuple(options.origin) if options.origin else None,
        "jwks": _keys(options.jwks) if options.jwks else None,
        "jwks_uri": options.jwks_uri,
        **{member: getattr(options, member) for member in _FLAGS},
    }
    if options.organization:
        place = demand(runtime, "--organization", "Organization", options.organization)
        display = str(place.get("name", ""))
        found |= {"organization": f"Organization/{options.organization}", "organization_display": display}
    return {name: value for name, value in found.items() if value is not None}


def _keys(file: str) -> Json:
    try:
        found = orjson.loads(Path(file).read_bytes())
    except OSError as error:
        raise ArgumentProblem("--jwks", f"{file} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ArgumentProblem("--jwks", f"{file} is no JSON") from None
    if not isinstance(found, dict) or not found:
        raise ArgumentProblem("--jwks", f'{file} is no JWK Set: an object with "keys"')
    return found


def _list(runtime: Runtime, _options: argparse.Namespace) -> None:
    for client in clients.list_clients(runtime):
        state = "disabled" if client.disabled else "in use"
        print(f"{client.id}\t{client.kind.value}\t{client.auth_method.value}\t{state}\t{client.scopes}")


def _show(runtime: Runtime, options: argparse.Namespace) -> None:
    client = _client(runtime, options.id)
    shown = {name: value for name, value in asdict(client).items() if name not in _HIDDEN}
    shown["registered_by"] = "itself" if client.registration_hash else "an operator"
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def _edit(runtime: Runtime, options: argparse.Namespace) -> None:
    client, given = _client(runtime, options.id), _given(runtime, options)
    if options.auth_method and options.auth_method != client.auth_method.value:
        given |= _other_method(client, AuthMethod(options.auth_method))
    if "jwks" in given:
        given.setdefault("jwks_uri", "")
    elif given.get("jwks_uri"):
        given["jwks"] = {}
    changed = sorted(name for name, value in given.items() if getattr(client, name) != value)
    if not changed:
        raise ArgumentProblem(options.id, "nothing would change; say what to change, such as --name")
    with naming(_ARGUMENTS):
        edited = checked(replace(client, **given))
    _trace(runtime, options, "edit-client", f"changed: {', '.join(changed)}")
    clients.change(runtime, edited)
    ended = grants.revoke_client(runtime, client.id) if _ENDS_GRANTS & set(changed) else 0
    print(f"client {client.id} changed ({', '.join(changed)}); grants ended: {ended}")


def _other_method(client: Client, method: AuthMethod) -> Json:
    """Return the members that change with the way of authenticating; only `rotate` makes a new secret."""
    if method in SECRET_METHODS and not client.secret_hash:
        raise ArgumentProblem("--auth-method", f"{client.id} has no secret; register it anew with --secret")
    return {"auth_method": method} | ({} if method in SECRET_METHODS else {"secret_hash": ""})


def _disable(runtime: Runtime, options: argparse.Namespace) -> None:
    client = _client(runtime, options.id)
    _trace(runtime, options, "disable-client")
    clients.change(runtime, replace(client, disabled=True))
    ended = grants.revoke_client(runtime, client.id)
    print(f"client {client.id} disabled; grants ended: {ended}")


def _enable(runtime: Runtime, options: argparse.Namespace) -> None:
    client = _client(runtime, options.id)
    _trace(runtime, options, "enable-client")
    clients.change(runtime, replace(client, disabled=False))
    print(f"client {client.id} enabled again")


def _rotate(runtime: Runtime, options: argparse.Namespace) -> None:
    client = _client(runtime, options.id)
    if options.jwks or options.jwks_uri:
        keys = _keys(options.jwks) if options.jwks else {}
        with naming(_ARGUMENTS):
            rekeyed = checked(replace(client, jwks=keys, jwks_uri=options.jwks_uri or ""))
        if client.auth_method is not AuthMethod.PRIVATE_KEY_JWT:
            raise ArgumentProblem("--jwks", f"{client.id} authenticates by {client.auth_method.value}, not by keys")
        _trace(runtime, options, "rekey-client", "keys")
        clients.change(runtime, rekeyed)
        print(f"keys of {client.id} replaced")
        return
    if not client.secret_hash:
        raise ArgumentProblem(client.id, "it has no secret; give its new public keys with --jwks")
    secret = token_urlsafe(32)
    _trace(runtime, options, "rekey-client", "secret")
    clients.change(runtime, replace(client, secret_hash=clients.hash_secret(secret)))
    print(f"new secret of {client.id}, shown once: {secret}")


def _make_keys(_settings: Settings, options: argparse.Namespace) -> int:
    kid = token_urlsafe(12)
    names: Any = {"kid": kid, "alg": options.algorithm, "use": "sig"}
    is_rsa = options.algorithm == "RS384"
    key = RSAKey.generate_key(3072, names) if is_rsa else ECKey.generate_key("P-384", names)
    _write(options.private, key.as_dict(private=True), 0o600)
    _write(options.public, {"keys": [key.as_dict(private=False)]}, 0o644)
    print(f"{options.private} is for the software alone; {options.public} is for habilis clients add --jwks")
    return 0


def _write(name: str, value: object, mode: int) -> None:
    """Write a new file; never overwrite an old one, which may be the only copy of a key."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ArgumentProblem(name, "there is such a file already; it is left as it is") from None
    with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode of the file
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")


def _client(runtime: Runtime, id_: str) -> Client:
    found = next((client for client in clients.list_clients(runtime) if client.id == id_), None)
    if found is None:
        raise ArgumentProblem("ID", f"there is no client {ascii(id_)[1:-1]}; `habilis clients list` shows all clients")
    return found


def _trace(runtime: Runtime, options: argparse.Namespace, operation: str, reason: str = "") -> None:
    operator_acts.record(runtime, options.by, operation, f"Device/{options.id}", reason)
