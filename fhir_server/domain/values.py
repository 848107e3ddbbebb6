"""Types that every part of the server shares; they say what a value is where `dict` or `str` would not.

Source: https://hl7.org/fhir/R4/json.html (the JSON representation of resources).
"""

from typing import Any

Json = dict[str, Any]
"""A JSON object, read and not yet judged: a resource, an element of one, a document of the authorization server.

Names are FHIR's or the protocol's own. Values are what orjson gives: objects as `Json`, arrays as `list`, and strings,
numbers, booleans and `None` as they are.
"""
