"""Types that every part of the server shares; they say what a value is where `dict` or `str` would not.

Source: https://hl7.org/fhir/R4/json.html (the JSON representation of resources).
"""

from typing import Any, NewType

from fhir_server.registry.model import Interaction

__all__ = ["Interaction", "Json"]

Json = dict[str, Any]
"""A JSON object, read and not yet judged: a resource, an element of one, a document of the authorization server.

Names are FHIR's or the protocol's own. Values are what orjson gives: objects as `Json`, arrays as `list`, and strings,
numbers, booleans and `None` as they are.
"""

ClientId = NewType("ClientId", str)
"""The id of an app or of software, as registered; never its name."""
GrantId = NewType("GrantId", str)
"""The id of a grant; a person's session on our pages has one too."""


def type_of(reference: str) -> str:
    """Return the type that a relative reference names, such as "Patient" for "Patient/1".

    A text without a slash is returned whole.
    """
    return reference.partition("/")[0]
