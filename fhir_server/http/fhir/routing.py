"""What a route of the FHIR endpoint is: `endpoint` serves the routes, and `openapi` describes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import Response

View = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One route below the FHIR endpoint.

    path: below /fhir, such as "/Patient/<id_>". tag: the resource type under which the route is documented.
    name: unique over all routes. summary: one line for the documentation.
    given: arguments of the view besides the parts of the path, such as the row of the resource type.
    public: whether it needs no token.
    """

    method: str
    path: str
    view: View
    tag: str
    name: str
    summary: str
    given: Mapping[str, object] = field(default_factory=dict)
    public: bool = False
