"""Selectors of an XML Patch: paths of element names with predicates, which may end with an attribute or `text()`.

This is the part of XPath that RFC 5261 uses, without `//`, `id()` and functions: what a selector costs grows with the
elements that it visits, and these are counted. A name without prefix is one of the default namespace of the patch, and
of FHIR when there is none.

Source: RFC 5261, 4.1 and 4.2.2 (https://www.rfc-editor.org/rfc/rfc5261).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from lxml import etree

from fhir_server.r4.places import BadPath, Work

MAX_LENGTH = 1000
_FHIR = "http://hl7.org/fhir"
_NAME = r"(?:[A-Za-z_][\w.\-]*:)?[A-Za-z_][\w.\-]*"
_QUOTED = r"(?:'[^']*'|\"[^\"]*\")"
_PREDICATE = rf"\[(?:[1-9][0-9]{{0,5}}|(?:\.|@{_NAME}|{_NAME}(?:/{_NAME})*(?:/@{_NAME})?)={_QUOTED})\]"
_STEP = re.compile(rf"/(\*|{_NAME})((?:{_PREDICATE})*)")
_PREDICATES = re.compile(rf"\[([^=\]]+)(?:=({_QUOTED}))?\]")
_END = re.compile(rf"/(?:@({_NAME})|(text\(\)))")


class Part(Enum):
    """What a selector selects of an element."""

    ELEMENT = "element"
    ATTRIBUTE = "attribute"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Found:
    """A selected place. name: of the attribute, "" for an element and a text."""

    node: etree._Element
    part: Part = Part.ELEMENT
    name: str = ""


def select(root: etree._Element, selector: str, names: Mapping[str | None, str], work: Work) -> list[Found]:
    """Return the places that a selector selects.

    names: the namespaces by prefix, as declared where the selector stands.
    Raises: BadPath for a selector that cannot be read, or that visits more elements than `work` has left.
    """
    if not selector or len(selector) > MAX_LENGTH:
        raise BadPath(f"`sel` takes a path of at most {MAX_LENGTH} characters")
    text, at, nodes = "/" + selector.removeprefix("/"), 0, [root]
    while (step := _STEP.match(text, at)) is not None:
        below = [[root]] if at == 0 else [list(node) for node in nodes]
        work.visit(sum(map(len, below)))
        nodes = [node for group in below for node in _kept(group, step, names, work)]
        at = step.end()
    end = _END.fullmatch(text, at)
    if at == 0 or (at < len(text) and end is None):
        raise BadPath(f"the selector cannot be read at character {at}")
    if end is None:
        return [Found(node) for node in nodes]
    if end[2]:
        return [Found(node, Part.TEXT) for node in nodes if node.text]
    return [Found(node, Part.ATTRIBUTE, end[1]) for node in nodes if node.get(end[1]) is not None]


def _kept(
    group: Iterable[etree._Element], step: re.Match[str], names: Mapping[str | None, str], work: Work
) -> list[etree._Element]:
    """Return the elements of one parent that a step selects."""
    wanted = "" if step[1] == "*" else _tag(step[1], names)
    kept = [node for node in group if not wanted or node.tag == wanted]
    for predicate in _PREDICATES.finditer(step[2]):
        work.visit(len(kept))
        if predicate[2] is None:
            number = int(predicate[1])
            kept = kept[number - 1 : number]
        else:
            value = predicate[2][1:-1]
            kept = [node for node in kept if value in _values(node, predicate[1], names, work)]
    return kept


def _values(node: etree._Element, path: str, names: Mapping[str | None, str], work: Work) -> list[str]:
    """Return the values of a path below an element: of attributes, or the texts of elements."""
    nodes = [node]
    for name in path.split("/"):
        if name.startswith("@"):
            return [str(one.get(name[1:])) for one in nodes if one.get(name[1:]) is not None]
        if name != ".":
            tag = _tag(name, names)
            nodes = [child for one in nodes for child in one if child.tag == tag]
        work.visit(len(nodes) + 1)
    return ["".join(str(text) for text in one.itertext()) for one in nodes]


def _tag(name: str, names: Mapping[str | None, str]) -> str:
    prefix, found, local = name.rpartition(":")
    namespace = names.get(prefix if found else None, "" if found else _FHIR)
    if not namespace:
        raise BadPath(f"the prefix `{prefix[:64]}` is not declared")
    return f"{{{namespace}}}{local}"
