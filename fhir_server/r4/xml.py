"""FHIR XML both ways, based on the shapes: element order, attributes, lists and narrative.

The XML of the fhir.resources library rewrites instants and dates; here every value keeps its text (ADR 0009). A
document type declaration is refused, so no entity is ever expanded.

Source: https://hl7.org/fhir/R4/xml.html.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson
from lxml import etree

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.r4.structure import Element, Shape, shape_of
from fhir_server.settings import limits

_FHIR = "http://hl7.org/fhir"
_NS = f"{{{_FHIR}}}"
_XHTML_DIV = "{http://www.w3.org/1999/xhtml}div"
_NUMBERS = frozenset({"integer", "positiveInt", "unsignedInt", "decimal"})
_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 forbids; an outcome that quotes a client's input may contain some."""


def to_xml(resource: Json) -> bytes:
    """Return a valid resource as FHIR XML in UTF-8."""
    root = _resource_element(resource)
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return text


def from_xml(body: bytes) -> Json:
    """Return the resource of an XML text; elements that R4 does not define stay, so that the check can name them.

    Raises: Problem(MALFORMED) for text that is not well-formed, has a document type declaration or another namespace,
    or is no resource; TOO_LARGE for more elements and attributes than the limits allow.
    """
    return from_tree(root_of(body))


def from_tree(root: etree._Element) -> Json:
    """Return the resource of an XML tree. Raises: as `from_xml`."""
    return _resource_of(root, 0)


def root_of(body: bytes) -> etree._Element:
    """Return the root of an XML text, without comments and processing instructions.

    Raises: Problem(MALFORMED) for text that is not well-formed or has a document type declaration; TOO_LARGE for more
    elements and attributes than the limits allow.
    """
    _demand_few_values(body)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _malformed("the body is not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise _malformed("the body must not declare a document type")
    return root


def _demand_few_values(body: bytes) -> None:
    """Count the elements and attributes that an XML text has at most, before any of them is built.

    Raises: Problem(TOO_LARGE).
    """
    most = limits.in_force().members
    if max(body.count(b"<"), body.count(b"=")) > 2 * most:
        raise Problem.of(Category.TOO_LARGE, f"a body holds at most {most} values", code="too-many-values")


def _resource_element(resource: Json) -> etree._Element:
    type_ = str(resource["resourceType"])
    node = etree.Element(f"{_NS}{type_}", nsmap={None: _FHIR})
    _fill(node, _known_shape(type_), resource)
    return node


def _fill(node: etree._Element, shape: Shape, value: Json) -> None:
    """Write an object's members into its element, in the order of the definition."""
    for name, element in shape.elements.items():
        item, sibling = value.get(name), value.get(f"_{name}")
        if item is None and sibling is None:
            continue
        if _is_attribute(shape, element):
            node.set(name, _text(item))
        elif element.many:
            for one, beside in _pairs(item, sibling):
                _write(node, element, one, beside)
        else:
            _write(node, element, item, sibling)


def _pairs(items: Any, siblings: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON values
    items, siblings = items or [], siblings or []
    for index in range(max(len(items), len(siblings))):
        yield items[index] if index < len(items) else None, siblings[index] if index < len(siblings) else None


def _write(parent: etree._Element, element: Element, item: Any, sibling: Any) -> None:  # noqa: ANN401 - JSON values
    if element.type == "xhtml":
        parent.append(etree.fromstring(item, etree.XMLParser(resolve_entities=False, no_network=True)))
        return
    node = etree.SubElement(parent, f"{_NS}{element.name}")
    if element.primitive:
        if item is not None:
            node.set("value", _text(item))
        if sibling:
            _fill(node, _known_shape("Element"), sibling)
    elif element.type == "Resource":
        node.append(_resource_element(item))
    else:
        _fill(node, _known_shape(element.type), item)


def _text(item: Any) -> str:  # noqa: ANN401 - a JSON scalar
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", item) if isinstance(item, str) else orjson.dumps(item).decode()


def _is_attribute(shape: Shape, element: Element) -> bool:
    return (element.name == "id" and not shape.is_resource) or (shape.name == "Extension" and element.name == "url")


def _known_shape(type_: str) -> Shape:
    shape = shape_of(type_)
    if shape is None:
        raise _malformed("the body must be a resource of R4")
    return shape


def _resource_of(node: etree._Element, depth: int) -> Json:
    name = _local(node)
    shape = shape_of(name)
    if shape is None or not shape.is_resource:
        raise _malformed("the body must be a resource of R4")
    return {"resourceType": name, **_object_of(node, shape, depth)}


def _object_of(node: etree._Element, shape: Shape, depth: int) -> Json:
    """Read an element's attributes and children into an object."""
    allowed = limits.in_force()
    if depth > allowed.depth:
        raise _malformed("the body is nested too deeply")
    if len(node.attrib) > allowed.object_members:
        text = f"an element holds at most {allowed.object_members} attributes"
        raise Problem.of(Category.TOO_LARGE, text, code="too-many-members")
    found: Json = {str(name): str(value) for name, value in node.attrib.items()}
    if (node.text or "").strip() or any((child.tail or "").strip() for child in node):
        raise _malformed("text may stand only in attributes and in narrative")
    for child in node:
        element = shape.elements.get(_local(child)) or Element(_local(child), "Element")
        _read(found, element, child, depth)
    return found


def _read(found: Json, element: Element, child: etree._Element, depth: int) -> None:
    if element.type == "xhtml":
        _put(found, element, etree.tostring(child, encoding="unicode", with_tail=False))
    elif element.type == "Resource":
        if len(child) != 1:
            raise _malformed(f"`{element.name}` must hold one resource")
        _put(found, element, _resource_of(child[0], depth + 1))
    elif element.primitive:
        _read_primitive(found, element, child, depth)
    else:
        _put(found, element, _object_of(child, _known_shape(element.type), depth + 1))


def _read_primitive(found: Json, element: Element, child: etree._Element, depth: int) -> None:
    beside = _object_of(child, _known_shape("Element"), depth + 1)
    written = beside.pop("value", None)
    value = None if written is None else _scalar(element.type, written)
    if not element.many:
        if value is not None:
            _put(found, element, value)
        if beside:
            found[f"_{element.name}"] = beside
        return
    values = found.setdefault(element.name, [])
    values.append(value)
    if beside or f"_{element.name}" in found:
        siblings = found.setdefault(f"_{element.name}", [])
        siblings.extend([None] * (len(values) - 1 - len(siblings)))
        siblings.append(beside or None)


def _put(found: Json, element: Element, value: Any) -> None:  # noqa: ANN401 - a JSON value
    """Add a value.

    Raises: Problem(MALFORMED) when an element that must not repeat occurs twice, which JSON cannot express.
    """
    if element.many:
        found.setdefault(element.name, []).append(value)
    elif element.name in found:
        raise _malformed(f"`{element.name[:64]}` must not repeat")
    else:
        found[element.name] = value


def _scalar(type_: str, written: str) -> Any:  # noqa: ANN401 - a JSON scalar
    """Return the JSON value of an attribute; a value that does not fit stays text, so that the check can name it."""
    if type_ == "boolean":
        return {"true": True, "false": False}.get(written, written)
    if type_ not in _NUMBERS:
        return written
    try:
        value = orjson.loads(written)
    except ValueError:
        return written
    if not isinstance(value, int | float) or isinstance(value, bool):
        return written
    return value if orjson.dumps(value).decode() == written else orjson.Fragment(written)


def _local(node: etree._Element) -> str:
    tag = str(node.tag)
    if tag == _XHTML_DIV:
        return "div"
    if not tag.startswith(_NS):
        raise _malformed("every element must be of the namespace http://hl7.org/fhir")
    return tag.removeprefix(_NS)


def _malformed(text: str) -> Problem:
    return Problem.of(Category.MALFORMED, text, code="structure")
