"""Requests without a route: whether the type is unknown or the interaction is not offered, for all paths alike.

Source: https://hl7.org/fhir/R4/http.html#Status-Codes: 404 for an unknown type or operation, 405 for an interaction of
a known type that is not offered.
"""

import re
from http import HTTPStatus

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from fhir_server.domain.problem import Category, Problem
from fhir_server.http.request_context import FHIR_PATH
from fhir_server.registry import NATIVE, OWNED, PUBLISHED, REGISTRY

_OF_A_TYPE = re.compile(r"(\w+)(/(_search|_history|[A-Za-z0-9.\-]{1,64}(/_history(/[^/]+)?)?))?")
"""Paths of interactions with a type, its instances and their versions."""
_TYPES = REGISTRY.keys() | NATIVE.keys() | PUBLISHED.keys() | OWNED.keys()
_OF_THE_SERVER = frozenset({"", "_history", "_search", "metadata"})


def category_of(error: HTTPException) -> Category | None:
    """Return how to answer a request that has no route, None for another failure."""
    if error.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return None
    path = request.path.removeprefix(FHIR_PATH).strip("/")
    last = path.rpartition("/")[2]
    if last.startswith("$"):
        return Category.METHOD_NOT_ALLOWED if _is_routed(path) else Category.NOT_FOUND
    named = _OF_A_TYPE.fullmatch(path)
    is_interaction = path in _OF_THE_SERVER or (named is not None and named[1] in _TYPES)
    return Category.METHOD_NOT_ALLOWED if is_interaction else Category.NOT_FOUND


_OF_LABELS = frozenset({"$meta", "$meta-add", "$meta-delete"})
_ONE_RESOURCE = (
    "`$meta` is of one resource alone: for a type or the server it would list the labels in use; and no operation "
    "changes labels"
)


def refused_by_name() -> Problem | None:
    """Return why an operation is not offered at all, None for any other path."""
    return Problem.of(Category.UNSUPPORTED, _ONE_RESOURCE) if request.path.rpartition("/")[2] in _OF_LABELS else None


def demand_offered() -> None:
    """Refuse an operation that is not offered where the path would otherwise read as the id of a resource.

    Raises: Problem(UNSUPPORTED).
    """
    problem = refused_by_name()
    if problem:
        raise problem


def _is_routed(path: str) -> bool:
    """Tell whether an operation of this name is offered at this level of this type."""
    *before, last = path.split("/")
    wanted = "/".join((FHIR_PATH, *before[:1], *("<id_>" for _ in before[1:]), last))
    return any(rule.rule == wanted for rule in current_app.url_map.iter_rules())
