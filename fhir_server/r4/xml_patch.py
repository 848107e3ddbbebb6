"""XML Patch: the operations add, replace and remove of a patch document, on the XML form of a resource.

A selector is a path of names with predicates, and is evaluated here: a full XPath could cost more than the limits on a
request allow. Nothing is added to a place that R4 does not have, because the result is read as a resource again.

Source: RFC 5261 (https://www.rfc-editor.org/rfc/rfc5261), 4; https://hl7.org/fhir/R4/http.html#patch.
"""

from collections.abc import Callable
from copy import deepcopy

import orjson
from lxml import etree

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.r4 import xml_paths
from fhir_server.r4.parsing import load_json
from fhir_server.r4.places import BadPath, Work
from fhir_server.r4.trees import demand_same_identity, pruned
from fhir_server.r4.xml import from_tree, root_of, to_xml
from fhir_server.r4.xml_paths import Found, Part
from fhir_server.settings import limits

_NAMESPACES = frozenset({"", "http://hl7.org/fhir", "urn:ietf:params:xml:ns:diff"})
"""Namespaces in which a patch document may be: R4 names none, and clients differ."""


def read_xml_patch(body: bytes) -> etree._Element:
    """Return the root of a patch document.

    Raises: Problem(MALFORMED) for text that is not well-formed, declares a document type, or is no patch document;
    TOO_LARGE as for any body.
    """
    root = root_of(body)
    most = limits.in_force().patch_operations
    if _named(root) != "diff" or len(root) > most or any(_named(one) not in _OPERATIONS for one in root):
        text = f"an XML Patch is a `diff` of at most {most} operations: {', '.join(_OPERATIONS)}"
        raise Problem.of(Category.MALFORMED, text, code="structure")
    return root


def texts_of(root: etree._Element) -> list[str]:
    """Return every text and value of an attribute in a patch document."""
    found = [str(value) for node in root.iter() for value in node.attrib.values()]
    return found + [text for node in root.iter() for text in (node.text, node.tail) if text]


def apply_xml_patch(resource: Json, patch: etree._Element) -> Json:
    """Return the resource after all operations of an XML Patch, or none of them.

    Raises: Problem(MALFORMED) for a selector that cannot be read, for a result that is not R4 in XML, that has another
    id or type, or that is larger than the limits allow; BUSINESS_RULE when a selector does not select one place, or the
    operation cannot be carried out there.
    """
    allowed = limits.in_force()
    before = root_of(to_xml(resource))
    unchanged, work = from_tree(before), Work(allowed.patch_work)
    tree = deepcopy(before)
    for number, sent in enumerate(patch):
        try:
            _OPERATIONS[_named(sent)](_one(tree, sent, work), sent)
        except BadPath as error:
            raise _malformed(str(error), sent, number) from error
        except _Impossible as error:
            raise Problem.of(Category.BUSINESS_RULE, str(error), _selector(sent), "no-such-place") from error
    if len(etree.tostring(tree)) > allowed.patched_bytes:
        raise _malformed("the operations make the resource larger than one may be", patch, 0)
    return demand_same_identity(resource, _with_own_spelling(resource, unchanged, pruned(from_tree(tree))))


class _Impossible(Exception):
    """An operation that cannot be carried out on this resource."""


def _with_own_spelling(resource: Json, unchanged: Json, patched: Json) -> Json:
    """Return the patched resource with the members that no operation touched as they were.

    XML writes a narrative and a number in one way only. unchanged: the resource as XML reads it before the patch.
    """
    read = load_json(orjson.dumps(patched))
    same = load_json(orjson.dumps(unchanged))
    return {
        name: resource[name] if name in resource and _text(same.get(name)) == _text(value) else value
        for name, value in read.items()
    }


def _text(value: object) -> bytes:
    return orjson.dumps(value)


def _one(tree: etree._Element, sent: etree._Element, work: Work) -> Found:
    found = xml_paths.select(tree, _selector(sent), sent.nsmap, work)
    if len(found) != 1:
        raise _Impossible(f"the selector selects {len(found)} places instead of one")
    return found[0]


def _add(place: Found, sent: etree._Element) -> None:
    node, kind = _element(place), str(sent.get("type", ""))
    if kind.startswith("@"):
        if node.get(kind[1:]) is not None:
            raise _Impossible("the attribute is there already")
        _set(node, kind[1:], _content(sent))
    elif kind:
        raise _Impossible("only elements, texts and attributes can be added")
    else:
        _put(node, sent, str(sent.get("pos", "")))


def _put(node: etree._Element, sent: etree._Element, place: str) -> None:
    """Add the content of an operation: at the end of an element, at its beginning, before it or after it."""
    new = [deepcopy(one) for one in sent]
    parent = node if place in ("", "prepend") else node.getparent()
    if parent is None or place not in ("", "prepend", "before", "after"):
        raise _Impossible("nothing can be added there")
    if not new:
        raise _Impossible('the operation adds no element; a value is an attribute, as in type="@value"')
    at = {"": len(node), "prepend": 0}.get(place)
    if at is None:
        at = parent.index(node) + (place == "after")
    for one in reversed(new):
        one.tail = None
        parent.insert(at, one)


def _replace(place: Found, sent: etree._Element) -> None:
    if place.part is Part.ATTRIBUTE:
        _set(place.node, place.name, _content(sent))
    elif place.part is Part.TEXT:
        place.node.text = _content(sent)
    else:
        parent, new = place.node.getparent(), [deepcopy(one) for one in sent]
        if parent is None or len(new) != 1:
            raise _Impossible("an element is replaced by exactly one element, and the resource by none")
        new[0].tail = place.node.tail
        parent.replace(place.node, new[0])


def _remove(place: Found, _sent: etree._Element) -> None:
    if place.part is Part.ATTRIBUTE:
        del place.node.attrib[place.name]
    elif place.part is Part.TEXT:
        place.node.text = None
    else:
        parent = place.node.getparent()
        if parent is None:
            raise _Impossible("a patch cannot remove the resource itself")
        parent.remove(place.node)


_OPERATIONS: dict[str, Callable[[Found, etree._Element], None]] = {"add": _add, "replace": _replace, "remove": _remove}


def _element(place: Found) -> etree._Element:
    if place.part is not Part.ELEMENT:
        raise _Impossible("something is added to an element, or beside it")
    return place.node


def _set(node: etree._Element, name: str, value: str) -> None:
    try:
        node.set(name, value)
    except ValueError as error:
        raise _Impossible("this is no name or value of an attribute") from error


def _content(sent: etree._Element) -> str:
    if len(sent):
        raise _Impossible("an attribute and a text have no elements")
    return sent.text or ""


def _named(node: etree._Element) -> str:
    """Return the name of an element of a patch document, "" for one of another namespace."""
    name = etree.QName(node)
    return name.localname if (name.namespace or "") in _NAMESPACES else ""


def _selector(sent: etree._Element) -> str:
    return str(sent.get("sel", ""))


def _malformed(text: str, sent: etree._Element, number: int) -> Problem:
    where = _selector(sent)[: xml_paths.MAX_LENGTH] or f"diff[{number}]"
    return Problem.of(Category.MALFORMED, text, where, "structure")
