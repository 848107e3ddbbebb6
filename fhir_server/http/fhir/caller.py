"""Who calls the FHIR endpoint, and what the address alone says about the request.

So a refusal can be recorded in the audit log before anything is parsed or read.
"""

from flask import g, request

from consent_rules.vocabulary import PatientId
from fhir_server import telemetry
from fhir_server.application.core.enforcement_point import demand_served
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.http import request_rates
from fhir_server.http.request_context import FHIR_PATH, argument, client_certificate, header, origin, runtime
from fhir_server.oauth.resource.bearer import caller_again, caller_of
from fhir_server.oauth.resource.dpop import DpopProof
from fhir_server.registry import PATIENT

_WRITES = {
    "POST": Interaction.CREATE,
    "PUT": Interaction.UPDATE,
    "PATCH": Interaction.PATCH,
    "DELETE": Interaction.DELETE,
}


def addressed_interaction() -> AuditedInteraction:
    """Return the interaction, without the parameters of a search, because they may identify a person."""
    type_, id_, *rest = [*request.path.removeprefix(FHIR_PATH).strip("/").split("/"), "", ""]
    if type_.startswith("$"):
        return AuditedInteraction(Interaction.OPERATION, "", operation=type_.removeprefix("$"))
    last = next((part for part in (*reversed(rest), id_) if part), "")
    if last.startswith("$"):
        target = f"{type_}/{id_}" if id_ != last else ""
        return AuditedInteraction(Interaction.OPERATION, type_, target=target, operation=last.removeprefix("$"))
    if not type_ and request.method not in ("GET", "HEAD"):
        return AuditedInteraction(Interaction.TRANSACTION, "Bundle")
    if id_ == "_search" or (not id_ and request.method in ("GET", "HEAD")):
        return AuditedInteraction(Interaction.SEARCH, type_, query=f"{request.method} {request.path}")
    target = "/".join(part for part in (type_, id_, *rest) if part)
    return AuditedInteraction(_interaction(rest), type_, target=target if id_ else "")


def addressed_patient(caller: Caller) -> PatientId | None:
    """Return the id of the patient that the address or the token names."""
    type_, id_ = [*request.path.removeprefix(FHIR_PATH).strip("/").split("/"), ""][:2]
    if type_ == PATIENT and id_:
        return PatientId(id_)
    named = argument("patient") or argument("subject")
    return PatientId(named.removeprefix(f"{PATIENT}/")) or caller.launch_patient


def _interaction(rest: list[str]) -> Interaction:
    if request.method not in ("GET", "HEAD"):
        return _WRITES[request.method]
    if rest[0] != "_history":
        return Interaction.READ
    return Interaction.VREAD if rest[1] else Interaction.HISTORY


def current_caller() -> Caller:
    """Return the authenticated party of this request, from the current state of its token.

    Raises: Problem(UNAUTHENTICATED) without a valid access token; MALFORMED when a token is sent in two ways;
    TOO_MANY after more requests than a token or client may send;
    UNAVAILABLE while the service is locked down to emergencies and this request is not part of one.
    """
    if "caller" in g:
        known: Caller = g.caller
        return known
    authorization, proof = header("Authorization"), _proof()
    if authorization and ("access_token" in request.args or _posts_token()):
        text = "send the access token in the Authorization header only"
        raise Problem.of(Category.MALFORMED, text, code="invalid_request")
    served = runtime()
    found = caller_of(served, authorization, origin(), proof, client_certificate())
    telemetry.note(client_id=found.granted.client_id)
    if found.in_lockdown:
        demand_served(served, found, addressed_patient(found), addressed_interaction())
    request_rates.demand(found, served.profile.ceilings)
    g.caller = found
    return found


def renew_caller() -> Caller:
    """Look the caller up once more before a further entry of a Bundle, and return it; this counts no request.

    So the end of a token, a suspension and a lockdown take effect at the next entry.
    Raises: Problem(UNAUTHENTICATED) when the token holds no longer; UNAVAILABLE in a lockdown.
    """
    served, before = runtime(), current_caller()
    found = caller_again(served, header("Authorization"), before.origin)
    if found.in_lockdown:
        demand_served(served, found, addressed_patient(found), addressed_interaction())
    g.caller = found
    return found


def _public_url() -> str:
    """Return the address that the client called, which differs from ours behind a proxy."""
    return runtime().fhir_base.removesuffix("/fhir") + request.path


def _proof() -> DpopProof | None:
    sent = header("DPoP")
    return DpopProof(sent, request.method, _public_url()) if sent else None


def _posts_token() -> bool:
    """Tell whether the body is a form that holds a token; a body without a media type is not a form."""
    return bool(request.environ.get("CONTENT_TYPE")) and "access_token" in request.form
