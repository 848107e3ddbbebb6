"""`_elements`: answers with the named top-level elements only, always with what R4 demands, and tagged as incomplete.

Source: https://hl7.org/fhir/R4/search.html#elements.
"""

from typing import Any

import orjson
from flask import request

from fhir_server.domain.identity_traits import SUBSETTED
from fhir_server.http.arguments import argument
from fhir_server.r4.parsing import load_json
from fhir_server.r4.structure import shape_of

Json = dict[str, Any]

NAME = "_elements"
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension", "status"})


def wanted() -> frozenset[str]:
    """Return the elements that this reading request names, none when it wants the whole."""
    if request.method not in {"GET", "HEAD"} and not request.path.endswith("/_search"):
        return frozenset()
    named = argument(NAME) or (request.form.get(NAME, "") if request.method == "POST" else "")
    return frozenset(name.strip().partition(".")[2] or name.strip() for name in named.split(",") if name.strip())


def reduced(body: bytes, type_: str, elements: frozenset[str]) -> bytes:
    """Return a body with these elements, the mandatory ones and the modifiers."""
    shape = shape_of(type_)
    kept = elements | _ALWAYS | {element.name for element in (shape.required if shape else ())}
    resource: Json = {name: value for name, value in load_json(body).items() if name.removeprefix("_") in kept}
    meta = resource.setdefault("meta", {})
    meta["tag"] = [*(tag for tag in meta.get("tag", ()) if tag != SUBSETTED), SUBSETTED]
    return orjson.dumps(resource)
