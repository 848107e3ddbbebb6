"""The entry for request bodies: from JSON or XML to a plain resource, or to the faults of the body, reported together.

The resource stays as the client sent it, down to the digits of its decimals.

Source: https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/http.html#mime-type.
"""

import json
import re
from collections import Counter
from functools import partial
from typing import Any

import orjson

from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.r4 import xml
from fhir_server.r4.checking import check
from fhir_server.settings import limits

__all__ = ["check", "demand_few_values", "load", "load_json", "parse"]

_JSON = frozenset({"application/fhir+json", "application/json", "text/json"})
_XML = frozenset({"application/fhir+xml", "application/xml", "text/xml"})
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"[^"\\]*(?:\\.?[^"\\]*)*"?', re.DOTALL)
"""A JSON string, closed or not: it matches from every quotation mark, so that the search never backtracks."""


def load(body: bytes, media_type: str) -> Json:
    """Return the object of a body, from JSON or XML, unchecked.

    Raises: Problem(UNSUPPORTED_MEDIA) for another format; MALFORMED for a body that is neither JSON nor XML.
    """
    return load_json(body) if _is_json(media_type) else xml.from_xml(body)


def parse(body: bytes, media_type: str, expected_type: str) -> Json:
    """Return the resource of a request body, checked against R4.

    Resources inside the entries of a batch or transaction Bundle are not checked here: call `check` for each of them
        with its own root, so that a bad entry of a batch fails alone.

    expected_type: the type that the URL names, "" for any type.

    Raises: Problem(UNSUPPORTED_MEDIA) for another format; MALFORMED for a body that is neither JSON nor XML; INVALID
    with the faults (as many as `check` returns) and their expressions.
    """
    resource = load(body, media_type)
    type_ = resource.get("resourceType")
    if expected_type and type_ != expected_type:
        named = type_ if isinstance(type_, str) and type_.isalpha() else "nothing"
        text = f"the body must be a {expected_type}, it says {named[:64]}"
        raise Problem.of(Category.INVALID, text, f"{expected_type}.resourceType", "structure")
    issues = check(resource)
    if issues:
        raise Problem(Category.INVALID, *issues)
    return resource


def load_json(body: bytes) -> Json:
    """Return the object of a JSON text; decimals that a float would change stay as they were written.

    Raises: Problem(MALFORMED) for text that is not UTF-8, JSON or an object, for not-a-number, a repeated member or too
    deep nesting; TOO_LARGE for more values than the limits allow.
    """
    bare = body.removeprefix(_BOM)
    demand_few_values(bare)
    try:
        orjson.loads(bare)  # strict about encoding, surrogates and numbers, unlike the slower pass below
        members = partial(_members, limits.in_force().object_members)
        value = json.loads(bare, object_pairs_hook=members, parse_float=_decimal, parse_int=_integer)
    except _DuplicateMember as error:
        raise _malformed(f"the member `{error.name[:64]}` appears twice in one object") from error
    except RecursionError as error:
        raise _malformed("the body is nested too deeply") from error
    except ValueError as error:
        raise _malformed("the body is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise _malformed("the body must be a JSON object")
    return value


class _DuplicateMember(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def demand_few_values(text: bytes) -> None:
    """Count the values of a JSON text before any of them is built; nothing of the text is copied.

    Raises: Problem(TOO_LARGE).
    """
    most = limits.in_force().members
    if len(text) > most and _separators(text, 0, len(text)) > most and _holds_more(text, most):
        raise Problem.of(Category.TOO_LARGE, f"a body holds at most {most} values", code="too-many-values")


def _holds_more(text: bytes, most: int) -> bool:
    """Tell whether a JSON text has more separators than this outside its strings, or more strings than they allow."""
    found = end = 0
    for number, string in enumerate(_STRING.finditer(text)):
        found += _separators(text, end, string.start())
        end = string.end()
        if found > most or number > 2 * most:
            return True
    return found + _separators(text, end, len(text)) > most


def _separators(text: bytes, start: int, end: int) -> int:
    """Return how many separators a part of a JSON text has, which is the most values that it can begin."""
    return text.count(b",", start, end) + text.count(b"{", start, end) + text.count(b"[", start, end)


def _members(most: int, pairs: list[tuple[str, Any]]) -> Json:
    if len(pairs) > most:
        raise Problem.of(Category.TOO_LARGE, f"an object holds at most {most} members", code="too-many-members")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DuplicateMember(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return found


def _decimal(written: str) -> float | orjson.Fragment:
    value = float(written)
    return value if orjson.dumps(value) == written.encode() else orjson.Fragment(written)


def _integer(written: str) -> int | orjson.Fragment:
    return int(written) if len(written) < 19 and written != "-0" else orjson.Fragment(written)  # noqa: PLR2004 - 64 bits


def _is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON (True) or XML (False).

    Raises: Problem(UNSUPPORTED_MEDIA) for another format, another charset, or another FHIR version.
    """
    name, *parameters = (part.strip() for part in media_type.lower().split(";"))
    said = dict(parameter.partition("=")[::2] for parameter in parameters)
    charset = said.get("charset", "utf-8").strip('"')
    version = said.get("fhirversion", "4.0").strip('"')
    if name not in _JSON | _XML or charset not in _CHARSETS or version != "4.0":
        text = "the body must be application/fhir+json or application/fhir+xml in UTF-8, of FHIR 4.0"
        raise Problem(Category.UNSUPPORTED_MEDIA, Issue(text))
    return name in _JSON


def _malformed(text: str) -> Problem:
    return Problem.of(Category.MALFORMED, text, code="structure")
