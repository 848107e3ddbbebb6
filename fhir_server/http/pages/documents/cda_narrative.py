"""The narrative of a CDA section as HTML of our own: allowed elements alone, and no attribute but the spans of cells.

Every element is written anew; nothing of the document is copied but text, which is escaped. So there is no link,
picture, style, script or form of the document in the page. An element that is not known here is shown as its text.
Source: HL7 CDA R2, 4.3.5 (narrative block); OWASP Cross Site Scripting Prevention Cheat Sheet.
"""

from dataclasses import dataclass, field

from flask_babel import gettext
from lxml import etree
from markupsafe import Markup, escape

from fhir_server.domain.documents.cda_xml import NS

_PREFIX = f"{{{NS}}}"
_DEEPEST = 60
"""Nesting of elements that is kept; deeper ones are shown as text."""
_WIDEST = 100
"""Most columns or rows over which one cell may reach."""
_TAGS = {
    "paragraph": "p", "caption": "caption", "content": "span", "sub": "sub", "sup": "sup", "footnote": "small",
    "linkHtml": "span", "item": "li", "thead": "thead", "tbody": "tbody", "tfoot": "tfoot", "tr": "tr", "th": "th",
    "td": "td",
}  # fmt: skip
_STYLES = {"Bold": "strong", "Italics": "em", "Emphasis": "em"}
_REVISED = {"delete": "del", "insert": "ins"}
_BLOCKS = tuple(f"{_PREFIX}{name}" for name in ("paragraph", "list", "table"))
_WITHOUT_BLOCKS = frozenset({"p", "span", "small", "sub", "sup", "strong", "em"})
_SCOPES = frozenset({"row", "col", "rowgroup", "colgroup"})
_PLACES = {"thead": ("table",), "tbody": ("table",), "tfoot": ("table",), "tr": ("table", "thead", "tbody", "tfoot"),
           "th": ("tr",), "td": ("tr",), "item": ("list",)}  # fmt: skip
"""Where an element may stand; elsewhere it is shown as its text."""
_NOT_SHOWN = frozenset({"col", "colgroup"})
_SAFE_ADDRESSES = ("https://", "http://", "mailto:", "tel:")


_TABLE = ('<div class="scroll" tabindex="0"><table>', "</table></div>")
"""The keyboard scrolls a table that is wider than the page."""


class TooLongError(Exception):
    """A document has more elements than a page shows."""


@dataclass
class NarrativeWriter:
    """Writes narratives. elements, characters: how many more may be written, of all sections together."""

    elements: int
    characters: int
    _parts: list[str] = field(default_factory=list)

    def written(self, text: etree._Element) -> Markup:
        """Return a narrative as HTML. Raises: TooLongError."""
        self.elements -= sum(1 for _ in text.iter())
        self.characters -= sum(len(one) for one in text.itertext())
        if min(self.elements, self.characters) < 0:
            raise TooLongError
        self._parts = []
        self._inside(text, "", 0)
        return Markup("".join(self._parts))  # noqa: S704 - written here, every text escaped

    def _inside(self, node: etree._Element, within: str, depth: int) -> None:
        """Write what is inside an element. within: the name of the element."""
        self._say(node.text)
        for child in node:
            self._element(child, within, depth)
            self._say(child.tail)

    def _say(self, text: str | None) -> None:
        if text:
            self._parts.append(escape(text))

    def _element(self, node: etree._Element, within: str, depth: int) -> None:
        name = str(node.tag).removeprefix(_PREFIX)
        if depth >= _DEEPEST:
            self._say(" ".join(node.itertext()))
        elif name in _NOT_SHOWN:
            return
        elif name == "br":
            self._parts.append("<br>")
        elif name in _PLACES and within not in _PLACES[name]:
            self._inside(node, within, depth + 1)
        else:
            self._known(node, name, within, depth)

    def _known(self, node: etree._Element, name: str, within: str, depth: int) -> None:
        """Write an element that may stand here."""
        if name == "renderMultiMedia":
            self._say(gettext("[picture: see the file]"))
        before, after = _TABLE if name == "table" else _around(node, name, within)
        self._parts.append(before)
        self._inside(node, name, depth + 1)
        if name == "linkHtml":
            self._address(node)
        self._parts.append(after)

    def _address(self, node: etree._Element) -> None:
        """Write the address of a link as text beside its words; the page links nowhere."""
        address = str(node.get("href", "")).strip()
        if address.lower().startswith(_SAFE_ADDRESSES):
            self._say(f" ({address})")


def _around(node: etree._Element, name: str, within: str) -> tuple[str, str]:
    """Return what begins and what ends an element in HTML; nothing for one that is not known."""
    tag = _TAGS.get(name, "")
    if name == "list":
        tag = "ol" if node.get("listType") == "ordered" else "ul"
    elif name == "caption" and within != "table":
        tag = "div"
    elif name == "content":
        tag = _REVISED.get(node.get("revised", "")) or _emphasis(node) or tag
    if tag in _WITHOUT_BLOCKS and _has_block(node):
        tag = "div"
    return (f"<{tag}{_spans(node, name)}>", f"</{tag}>") if tag else ("", "")


def _has_block(node: etree._Element) -> bool:
    return any(one is not node for one in node.iter(*_BLOCKS))


def _emphasis(node: etree._Element) -> str:
    """Return the element for an emphasis, "" for any other style."""
    words = str(node.get("styleCode", "")).split()
    return next((_STYLES[word] for word in words if word in _STYLES), "")


def _spans(node: etree._Element, name: str) -> str:
    """Return over how many columns and rows a cell reaches, and what a heading is for."""
    if name not in {"th", "td"}:
        return ""
    found = ""
    for attribute in ("colspan", "rowspan"):
        value = str(node.get(attribute, ""))
        if value.isascii() and value.isdigit() and 1 < int(value[:4]) <= _WIDEST and len(value) <= len(str(_WIDEST)):
            found += f' {attribute}="{int(value)}"'
    if name == "th":
        scope = str(node.get("scope", ""))
        found += f' scope="{scope if scope in _SCOPES else "col"}"'
    return found
