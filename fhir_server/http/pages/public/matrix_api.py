"""The habilitation matrix as a public API: its versions, their cells with sources, and the changes between versions.

The matrix is public law and says nothing about any patient, so it needs no token and no audit event.
"""

from collections.abc import Iterable
from datetime import timedelta

import orjson
from flask import Response, abort, request
from flask_smorest import Blueprint

from consent_rules.matrix import comparison, importing
from consent_rules.matrix.table import DocumentKind, Matrix, Profession
from fhir_server.domain.values import Json
from fhir_server.http.pages.public import matrix
from fhir_server.http.request_context import runtime

TABLE_TYPE = "text/csv"
_JSON_TYPE, _PAGE_TYPE = "application/json", "text/html"
_SINCE: Json = {
    "in": "query",
    "name": "since",
    "required": True,
    "schema": {"type": "string", "format": "date"},
    "description": "the older version",
}
_DOCUMENT: Json = {"type": "object"}
matrix_api = Blueprint("Matrix", __name__, url_prefix="/matrix", description="The habilitation matrix")


@matrix_api.route("")
@matrix_api.doc(summary="The versions of the habilitation matrix", operationId="matrix-versions")
@matrix_api.response(200, _DOCUMENT, description="done")
def versions() -> Response:
    """Answer the versions, oldest first, each with its days and how well it is sourced; a browser gets a page."""
    if request.accept_mimetypes.best_match((_JSON_TYPE, _PAGE_TYPE)) == _PAGE_TYPE:
        return matrix.page()
    known = runtime().matrices.versions
    ends = [later.effective - timedelta(days=1) for later in known[1:]]
    listed = [_summary(version) for version in known]
    for version, end in zip(listed, ends, strict=False):
        version["until"] = end.isoformat()
    return _public({"inForce": runtime().matrix.version, "versions": listed})


@matrix_api.route("/<version>")
@matrix_api.doc(summary="One version: a cell for each profession and document type", operationId="matrix-cells")
@matrix_api.response(200, _DOCUMENT, description="done")
def cells(version: str) -> Response:
    """Answer one version as JSON, or as the table that can be imported elsewhere."""
    found = _version(version)
    if request.accept_mimetypes.best_match((_JSON_TYPE, TABLE_TYPE)) == TABLE_TYPE:
        return _cached(Response(importing.table(found), content_type=f"{TABLE_TYPE}; charset=utf-8"))
    named = [cell._asdict() for _, cell in sorted(found.cells.items())]
    coded = {"professions": _coded(found.professions.values()), "kinds": _coded(found.kinds.values())}
    return _public(_summary(found) | coded | {"cells": named})


@matrix_api.route("/<version>/changes")
@matrix_api.doc(
    summary="What a version changes against an older one", operationId="matrix-changes", parameters=[_SINCE]
)
@matrix_api.response(200, _DOCUMENT, description="done")
def changes(version: str) -> Response:
    """Answer the cells that decide otherwise than in the version `since`."""
    found = comparison.differences(_version(request.args.get("since", "")), _version(version))
    listed = [{"profession": c.profession, "kind": c.kind, "before": c.before, "after": c.after} for c in found]
    return _public({"version": version, "since": request.args["since"], "changes": listed})


def _version(name: str) -> Matrix:
    found = next((version for version in runtime().matrices.versions if version.version == name), None)
    return found or abort(404)


def _summary(version: Matrix) -> Json:
    cells_of_it = version.cells.values()
    return {
        "version": version.version,
        "from": version.effective.isoformat(),
        "cells": len(version.cells),
        "grants": sum(cell.access for cell in cells_of_it),
        "sourced": sum(cell.confidence == "sourced" for cell in cells_of_it),
        "inferred": sum(cell.confidence == "inferred" for cell in cells_of_it),
    }


def _coded(items: Iterable[Profession | DocumentKind]) -> list[Json]:
    return [
        {"system": item.system, "code": item.code, "label": {"fr": item.label_fr, "en": item.label_en}}
        for item in items
    ]


def _public(document: Json) -> Response:
    return _cached(Response(orjson.dumps(document), content_type=_JSON_TYPE))


def _cached(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Vary"] = "Accept"
    response.add_etag()
    response.make_conditional(request)
    return response
