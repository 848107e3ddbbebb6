"""create, update, patch and delete of every type that offers them (ITI-105, ITI-108, PDSm flux 03, 04 and 09).

Source: https://hl7.org/fhir/R4/http.html#create, #update, #patch and #delete; documents are published through
ITI-105 here and through ITI-65 in http/fhir/transactions.py.
"""

from dataclasses import replace
from urllib.parse import urlencode

from flask import Response, request

from fhir_server.application.bundles import handlers
from fhir_server.application.core.unit_of_work import Written
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.domain import conditional_requests
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, rendering, sealed_numbers
from fhir_server.http.fhir.caller import current_caller
from fhir_server.http.fhir.routing import Route, View
from fhir_server.http.request_context import runtime
from fhir_server.r4 import claimed_profiles
from fhir_server.r4 import patch as r4_patch
from fhir_server.r4.parsing import parse
from fhir_server.r4.patch import PATCH_TYPES, Patch
from fhir_server.registry import REGISTRY, Interaction, ResourceType

_OF_FORMAT = ("_format", "_pretty")


def create(row: ResourceType) -> Response:
    """Create a resource, or answer the one that meets If-None-Exist or the criteria of the URL."""
    negotiation.wanted_format()
    served, caller, resource = runtime(), current_caller(), _body(row)
    sent = request.headers.get("If-None-Exist", "") or _condition_in_url()
    condition = conditional_requests.query_of(sent, row.name, served.fhir_base)
    wanted = WriteRequest(Interaction.CREATE, row, resource=resource, condition=condition)
    return _answer(handlers.write(served, caller, wanted))


def update(row: ResourceType, id_: str) -> Response:
    """Replace the current version of a resource."""
    negotiation.wanted_format()
    served, caller, resource = runtime(), current_caller(), _body(row)
    if resource.get("id") != id_:
        raise Problem.of(Category.INVALID, "`id` is not the one of the URL", f"{row.name}.id", "value")
    wanted = WriteRequest(Interaction.UPDATE, row, id_, resource, if_match=_if_match(), only_new=_only_new())
    return _answer(handlers.write(served, caller, wanted))


def patch(row: ResourceType, id_: str) -> Response:
    """Change parts of a resource by JSON Patch, XML Patch or FHIRPath Patch."""
    negotiation.wanted_format()
    served, caller, change = runtime(), current_caller(), _patch()
    wanted = WriteRequest(Interaction.PATCH, row, id_, patch=change, if_match=_if_match())
    return _answer(handlers.write(served, caller, wanted))


def update_matching(row: ResourceType) -> Response:
    """Replace the one resource that meets criteria, or create one when the caller sees none."""
    negotiation.wanted_format()
    served, caller, resource = runtime(), current_caller(), _body(row)
    wanted = WriteRequest(Interaction.UPDATE, row, resource=resource, condition=_criteria(), if_match=_if_match())
    return _answer(handlers.write(served, caller, replace(wanted, only_new=_only_new())))


def patch_matching(row: ResourceType) -> Response:
    """Change parts of the one resource that meets criteria, in the caller's view."""
    negotiation.wanted_format()
    served, caller, change = runtime(), current_caller(), _patch()
    wanted = WriteRequest(Interaction.PATCH, row, patch=change, condition=_criteria(), if_match=_if_match())
    return _answer(handlers.write(served, caller, wanted))


def delete_matching(row: ResourceType) -> Response:
    """Delete the one resource that meets criteria; when the caller sees none, there is nothing to delete."""
    served, caller = runtime(), current_caller()
    wanted = WriteRequest(Interaction.DELETE, row, condition=_criteria(), if_match=_if_match())
    return _answer(handlers.write(served, caller, wanted))


def delete(row: ResourceType, id_: str) -> Response:
    """Delete a resource as its depositor; what is not there, or not seen, needs no deleting."""
    wanted = WriteRequest(Interaction.DELETE, row, id_, if_match=_if_match())
    return _answer(handlers.write(runtime(), current_caller(), wanted))


def _answer(written: Written | None) -> Response:
    """Answer a write; for a creation the answer says where the resource is, even if it existed (If-None-Exist)."""
    if written is None:
        return negotiation.empty_response(204)
    place = "Location" if request.method == "POST" or written.created else "Content-Location"
    is_told = rendering.may_be_told(current_caller(), written)
    status = 201 if written.created else 200
    return rendering.resource(written.shown, status, place, is_told=is_told, notes=written.notes)


def _body(row: ResourceType) -> Json:
    resource = parse(request.get_data(cache=False), request.content_type or "", row.name)
    faults = claimed_profiles.check(resource)
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)
    return resource


def _patch() -> Patch:
    """Read the patch; plain JSON that is no resource is a merge patch, as fhirpy sends it."""
    body = request.get_data(cache=False)
    if request.mimetype in PATCH_TYPES:
        return r4_patch.of_media_type(body, request.mimetype)
    if request.mimetype == "application/json" and b'"resourceType"' not in body:
        return r4_patch.of_merge(body)
    return r4_patch.of_parameters(parse(body, request.content_type or "", "Parameters"))


def _condition_in_url() -> str:
    """Return the condition of a creation that stands in the URL, as fhirpy sends it, "" for none."""
    return urlencode([pair for pair in request.args.items(multi=True) if pair[0] not in _OF_FORMAT])


def _criteria() -> str:
    """Return the criteria of the URL; a number of a patient that a link of this server holds encrypted is decrypted.

    Raises: Problem(MALFORMED) when there are none: they would be met by every resource of the type.
    """
    sent = sealed_numbers.opened(runtime().cursor_key, current_caller().granted.id, request.args.items(multi=True))
    if not sent:
        raise Problem.of(Category.MALFORMED, "name the resource by criteria, such as `identifier=system|value`")
    return urlencode(sent)


def _only_new() -> bool:
    """Tell whether the client wants to create a resource and to replace none (`If-None-Match: *`)."""
    return request.headers.get("If-None-Match", "").strip() == "*"


def _if_match() -> str:
    return request.headers.get("If-Match", "")


def _routes(row: ResourceType) -> list[Route]:
    name = row.name
    offered: tuple[tuple[Interaction, str, str, View, str], ...] = (
        (Interaction.CREATE, "POST", f"/{name}", create, f"Create one {name}"),
        (Interaction.UPDATE, "PUT", f"/{name}/<id_>", update, f"Replace one {name}"),
        (Interaction.PATCH, "PATCH", f"/{name}/<id_>", patch, f"Change parts of one {name}"),
        (Interaction.DELETE, "DELETE", f"/{name}/<id_>", delete, f"Delete one {name}"),
    )
    routes = [
        Route(method, path, view, name, f"{interaction.value}-{name}", summary, {"row": row})
        for interaction, method, path, view, summary in offered
        if interaction in row.interactions
    ]
    by_criteria: tuple[tuple[bool, str, View, str, str], ...] = (
        (row.updates_conditionally, "PUT", update_matching, "update", f"Replace the one {name} that meets criteria"),
        (row.patches_conditionally, "PATCH", patch_matching, "patch", f"Change the one {name} that meets criteria"),
        (row.deletes_conditionally, "DELETE", delete_matching, "delete", f"Delete the one {name} that meets criteria"),
    )
    routes += [
        Route(method, f"/{name}", view, name, f"conditional-{word}-{name}", summary, {"row": row})
        for is_offered, method, view, word, summary in by_criteria
        if is_offered
    ]
    return routes


ROUTES = [route for row in REGISTRY.values() for route in _routes(row)]
"""The writing routes of every type that offers them."""
