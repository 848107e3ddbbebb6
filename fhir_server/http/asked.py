"""What a request asks, as far as its address tells: for the trace of a refusal before anything is parsed or read."""

from flask import request

from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed
from fhir_server.http.arguments import argument
from fhir_server.http.routing import FHIR_PATH

_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def deed() -> Deed:
    """Return the interaction. The parameters of a search are left out, for they may name somebody by identifier."""
    type_, id_, *rest = [*request.path.removeprefix(FHIR_PATH).strip("/").split("/"), "", ""]
    last = next((part for part in (*reversed(rest), id_) if part), "")
    if last.startswith("$"):
        target = f"{type_}/{id_}" if id_ != last else ""
        return Deed("operation", type_, target=target, operation=last.removeprefix("$"))
    if not type_ and request.method not in ("GET", "HEAD"):
        return Deed("transaction", "Bundle")
    if id_ == "_search" or (not id_ and request.method in ("GET", "HEAD")):
        return Deed("search-type", type_, query=f"{request.method} {request.path}")
    target = "/".join(part for part in (type_, id_, *rest) if part)
    return Deed(_interaction(rest), type_, target=target if id_ else "")


def patient(caller: Caller) -> str:
    """Return the id of the patient whom the address or the token names, "" when none."""
    type_, id_ = [*request.path.removeprefix(FHIR_PATH).strip("/").split("/"), ""][:2]
    if type_ == "Patient" and id_:
        return id_
    named = argument("patient") or argument("subject")
    return named.removeprefix("Patient/") or caller.launch_patient


def _interaction(rest: list[str]) -> str:
    if request.method not in ("GET", "HEAD"):
        return _WRITES[request.method]
    if rest[0] != "_history":
        return "read"
    return "vread" if rest[1] else "history-instance"
