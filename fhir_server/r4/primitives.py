"""Lexical rules of the primitive types, on values as JSON holds them.

Source: https://hl7.org/fhir/R4/datatypes.html#primitive and, for narrative,
https://hl7.org/fhir/R4/narrative.html#xhtml.
"""

import binascii
import re
from collections.abc import Callable

import orjson
from lxml import etree

from fhir_server.domain.search.dates import interval_of, start_of_year

MAX_TEXT = 1_048_576
"""Longest string, in characters (R4: 1 MB)."""

EARLIEST_YEAR, LATEST_YEAR = 1900, 2200
"""The years that a stored date may name: the rules compute exactly with all of them."""

Check = Callable[[object], str]
"""Returns what is wrong with a value, "" when nothing is wrong."""

_XHTML = "{http://www.w3.org/1999/xhtml}"
_XHTML_ELEMENTS = re.compile(
    r"a|abbr|acronym|b|big|blockquote|br|caption|cite|code|col|colgroup|dd|dfn|div|dl|dt|em|h[1-6]|hr|i|img|li|ol|p|pre|q"
    r"|samp|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|ul|var"
)
_XHTML_ATTRIBUTES = re.compile(
    r"abbr|accesskey|align|alt|axis|bgcolor|border|cell(padding|spacing|halign|valign)|char|charoff|charset|cite|class"
    r"|colspan|compact|coords|dir|frame|headers|height|href|hreflang|hspace|id|lang|longdesc|name|nowrap|rel|rev|rowspan"
    r"|rules|scope|shape|span|src|start|style|summary|tabindex|title|type|valign|value|vspace|width"
)
_SAFE_LINK = re.compile(r"(https?://|mailto:|tel:|urn:|#|data:image/(png|jpeg|gif);|[A-Za-z0-9_./-]+$)")
_SAFE_IMAGE = re.compile(r"data:image/(png|jpeg|gif);|#")
_STYLES = re.compile(
    r"background(-color)?|border(-[a-z-]+)?|caption-side|clear|color|direction|display|empty-cells|float|font(-[a-z-]+)?"
    r"|height|hyphens|line-height|list-style-type|margin(-[a-z]+)?|max-(height|width)|min-(height|width)|orphans"
    r"|overflow-wrap|padding(-[a-z]+)?|page-break-[a-z]+|quotes|tab-size|table-layout|text-(align|decoration|indent)"
    r"|text-transform|unicode-bidi|vertical-align|visibility|white-space|widows|width|word-(break|spacing|wrap)"
)
"""Style properties that neither load something nor draw outside the narrative."""
_STYLE_VALUE = re.compile(r"""(?:[a-z0-9#%.,'" !/]|(?<=[a-z])-(?=[a-z])|\b(?:rgb|hsl)a?\([0-9.,%\s/]*\))*""")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PADDING = (b"", b"=", b"==")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = r"[^\s\x00-\x1f\x7f-\x9f]+"
_BAD_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _text(value: object) -> str:
    if not isinstance(value, str):
        return "must be a string"
    if not value:
        return "must not be empty"
    if len(value) > MAX_TEXT:
        return f"must not be longer than {MAX_TEXT} characters"
    return "must not hold control characters" if _BAD_CHARACTER.search(value) else ""


def _string(value: object) -> str:
    fault = _text(value)
    return fault or ("" if str(value).strip() else "must not be blank")


def _pattern(expression: str, text: str) -> Check:
    """Build the check of a primitive from one expression, which matches no control character."""
    compiled = re.compile(expression, re.ASCII)

    def check(value: object) -> str:
        if not isinstance(value, str):
            return "must be a string"
        if not value:
            return "must not be empty"
        if compiled.fullmatch(value):
            return ""
        return "must not hold control characters" if _CONTROL.search(value) else text

    return check


def _boolean(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _whole(low: int) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be a whole number"
        return "" if low <= value <= 2**31 - 1 else f"must lie between {low} and {2**31 - 1}"

    return check


def _decimal(value: object) -> str:
    is_number = isinstance(value, int | float | orjson.Fragment) and not isinstance(value, bool)
    return "" if is_number else "must be a number"


def _dated(wanted: Callable[[str], bool], text: str) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str):
            return "must be a string"
        if not wanted(value):
            return text
        try:
            low, high = interval_of(value)
        except ValueError as error:
            return f"is {error}" if str(error).startswith("not") else str(error)
        is_served = start_of_year(EARLIEST_YEAR) <= low and high <= start_of_year(LATEST_YEAR + 1)
        return "" if is_served else _beyond()

    return check


def _beyond() -> str:
    return f"must lie in the years {EARLIEST_YEAR} to {LATEST_YEAR}; leave the end of a period out when there is none"


def _base64(value: object) -> str:
    if not isinstance(value, str):
        return "must be a string"
    if _is_bare_base64(value):
        return ""
    bare = re.sub(r"[ \t\r\n]+", "", value)
    if not bare:
        return "must not be empty"
    return "" if _is_bare_base64(bare) else "must be base64"


def _is_bare_base64(text: str) -> bool:
    """Tell whether a text is base64 without whitespace; contents are large, and are rarely anything else."""
    if not text or len(text) % 4 or not text.isascii():
        return False
    sent = text.encode()
    padding = sent.translate(None, _BASE64)  # takes a sixth of the time that decoding takes
    if padding in _PADDING and sent.endswith(padding):
        return True
    try:
        binascii.a2b_base64(sent, strict_mode=True)
    except binascii.Error:
        return False
    return True


def _xhtml(value: object) -> str:
    fault = _text(value)
    if fault:
        return fault
    text = str(value)
    if "<!DOCTYPE" in text or "<?" in text:
        return "must not hold a document type or processing instructions"
    try:
        return _narrative(etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True)))
    except etree.XMLSyntaxError:
        return "must be well-formed XHTML"


def _narrative(root: etree._Element) -> str:
    if root.tag != f"{_XHTML}div":
        return "must be a div of the XHTML namespace"
    if not any(_is_seen(element) for element in root.iter()):
        return "must hold text or an image (txt-2)"
    return (
        ""
        if all(_is_safe(element) for element in root.iter(etree.Element))
        else "must keep to the allowed XHTML (txt-1)"
    )


def _is_seen(element: etree._Element) -> bool:
    return bool((element.text or "").strip() or (element.tail or "").strip() or element.tag == f"{_XHTML}img")


def _is_safe(element: etree._Element) -> bool:
    if not _XHTML_ELEMENTS.fullmatch(element.tag.removeprefix(_XHTML)):
        return False
    return all(_is_safe_attribute(str(name), str(value)) for name, value in element.attrib.items())


def _is_safe_attribute(name: str, value: str) -> bool:
    if name.startswith("{"):
        return name == "{http://www.w3.org/XML/1998/namespace}lang"
    if not _XHTML_ATTRIBUTES.fullmatch(name):
        return False
    if name == "src":
        return bool(_SAFE_IMAGE.match(value.strip()))
    if name == "style":
        return all(_is_safe_style(part) for part in value.lower().split(";") if part.strip())
    return name not in ("href", "cite", "longdesc") or bool(_SAFE_LINK.match(value.strip()))


def _is_safe_style(declaration: str) -> bool:
    """Tell whether a style declaration loads nothing and stays in its box: no `url(`, position, shadow or escape."""
    name, _, value = declaration.partition(":")
    return bool(_STYLES.fullmatch(name.strip()) and _STYLE_VALUE.fullmatch(value.strip()))


_URI = _pattern(_WORD, "must not hold blanks")

TYPE_FAULTS = frozenset(
    {
        "must be a string",
        "must be true or false",
        "must be a whole number",
        "must be a number",
    }
)
"""Faults of the JSON type rather than the value."""

CHECKS: dict[str, Check] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _URI,
    "code": _pattern(f"{_WORD}( {_WORD})*", "must be a code: no leading, trailing or doubled blanks"),
    "date": _dated(lambda value: "T" not in value, "must be a date without a time"),
    "dateTime": _dated(lambda _value: True, ""),
    "decimal": _decimal,
    "id": _pattern(r"[A-Za-z0-9\-.]{1,64}", "must be 1 to 64 letters, digits, `-` and `.`"),
    "instant": _dated(lambda value: "T" in value, "must be an instant: date, time to the second and zone"),
    "integer": _whole(-(2**31)),
    "markdown": _string,
    "oid": _pattern(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+", "must be `urn:oid:` and an OID"),
    "positiveInt": _whole(1),
    "string": _string,
    "time": _pattern(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?", "must be a time of the form hh:mm:ss"),
    "unsignedInt": _whole(0),
    "uri": _URI,
    "url": _URI,
    "uuid": _pattern(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "must be `urn:uuid:` and a UUID"),
    "xhtml": _xhtml,
}
"""The check of each primitive type."""
