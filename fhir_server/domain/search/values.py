"""From the value of one search parameter, as sent, to a criterion over tokens or dates.

Source: https://hl7.org/fhir/R4/search.html#modifiers, #escaping and #prefix. A feature that is not supported is refused
by name and not ignored: an ignored filter would widen the answer.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

from consent_rules.vocabulary import Mark
from fhir_server.domain.documents.security_labels import EVERY_MARK, marks_named
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import dates, tokens
from fhir_server.domain.search.criteria import AnyOf, Criterion, DateIs, NoneOf
from fhir_server.domain.terminology.value_sets import codes_in
from fhir_server.registry import DOCUMENTS, SearchParam

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPED = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_ESCAPED = re.compile(r"\\[,$|\\]")
_ESCAPED_OR = {separator: re.compile(rf"\\[,$|\\]|{re.escape(separator)}") for separator in (",", "|", "$")}


_OF_VALUES = frozenset({"contains", "text", "of-type", "above", "below"})


class Param(Protocol):
    """What a registry row says about a search parameter."""

    @property
    def name(self) -> str:
        """The parameter's name."""

    @property
    def type(self) -> str:
        """One of token, reference, string, date and uri."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The types that a reference may point to; empty for any type."""

    @property
    def absent(self) -> str:
        """The code that a missing element counts as, "" when there is none."""

    @property
    def examined(self) -> bool:
        """Whether no index has its values."""

    @property
    def marks(self) -> bool:
        """Whether the visibility marks are values too, for a caller who may know them."""


def criterion(param: Param, modifier: str, raw: str, fhir_base: str) -> Criterion:
    """Return the criterion of one parameter value; commas in it mean OR.

    modifier: without its colon, "" when none. raw: percent-decoded, with backslash escapes.
    fhir_base: the server's own base URL; an absolute reference below it equals the relative reference.

    Raises: Problem(UNSUPPORTED) for a modifier that is not supported, and for a parameter that no index answers, as
    in a join; MALFORMED for a value that cannot be read.
    """
    if param.examined:
        text = f"search parameter `{param.name}` is supported in a search of its own type alone"
        raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
    return of_values(param, modifier, raw, fhir_base)


def of_values(param: Param, modifier: str, raw: str, fhir_base: str) -> Criterion:
    """Return the criterion of one parameter value, which the index or a comparison answers. Raises: as `criterion`."""
    if modifier == "missing":
        return _missing(param, raw)
    return _READERS[param.type](param, modifier, alternatives(raw, param.name), fhir_base)


def needs_values(param: SearchParam, modifier: str) -> bool:
    """Tell whether the values of resources may have to be compared: then `examined` reads the criterion."""
    return param.examined or modifier in _OF_VALUES or (param.type == "string" and not modifier)


def alternatives(raw: str, name: str) -> list[str]:
    """Return the values between commas, with their escapes.

    Raises: Problem(MALFORMED) when there is none.
    """
    found = [part for part in split(raw, ",", name) if part]
    if not found:
        raise malformed(name, "is empty")
    return found


def _missing(param: Param, raw: str) -> Criterion:
    if _may_name_documents(param):  # an answer leaves out a reference to a hidden document
        raise unsupported(param.name, "missing")
    if raw not in ("true", "false"):
        raise malformed(param.name, "takes `true` or `false` with `:missing`")
    has, marks = frozenset({tokens.present(param.name)}), EVERY_MARK if param.marks else Mark.NONE
    return NoneOf(has, marks) if raw == "true" else AnyOf(has, marks)


def _may_name_documents(param: Param) -> bool:
    return param.type == "reference" and (not param.targets or not DOCUMENTS.isdisjoint(param.targets))


def _token(param: Param, modifier: str, alternatives: list[str], _base: str) -> Criterion:
    if modifier in ("in", "not-in"):
        return _in_value_set(param, alternatives, is_not=modifier == "not-in")
    if modifier not in ("", "not"):
        raise unsupported(param.name, modifier)
    if param.absent and param.absent in alternatives:
        return _as_absent(param, alternatives, is_not=bool(modifier))
    wanted = frozenset(_coded(param.name, param.name, value) for value in alternatives)
    marks = _marks(param, alternatives)
    return NoneOf(wanted, marks) if modifier else AnyOf(wanted, marks)


def _in_value_set(param: Param, urls: list[str], *, is_not: bool) -> Criterion:
    """Search for the codes of value sets of this server."""
    wanted, marks = set[str](), Mark.NONE
    for url in urls:
        codes = codes_in(plain(url, param.name))
        if codes is None:
            text = f"search parameter `{param.name}` names a value set that this server does not have"
            raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
        wanted |= {tokens.exact_token(param.name, *coded) for coded in codes}
        for system, code in codes if param.marks else ():
            marks |= marks_named(code, system)
    return NoneOf(frozenset(wanted), marks) if is_not else AnyOf(frozenset(wanted), marks)


def _as_absent(param: Param, alternatives: list[str], *, is_not: bool) -> Criterion:
    """Search a boolean in which a missing element counts as one value: match what does not have the other value."""
    both = frozenset(tokens.any_system(param.name, code) for code in ("true", "false"))
    others = both - {tokens.any_system(param.name, code) for code in alternatives}
    return AnyOf(others) if is_not else NoneOf(others)


def _marks(param: Param, alternatives: list[str]) -> Mark:
    """Return the visibility marks that `code`, `system|code` or `system|` names."""
    found = Mark.NONE
    for value in alternatives if param.marks else ():
        *system, code = [plain(part, param.name) for part in split(value, "|", param.name)]
        found |= marks_named(code, *system)
    return found


def _coded(prefix: str, name: str, value: str) -> str:
    """Return the token of `code`, `system|code`, `|code` or `system|`."""
    parts = [plain(part, name) for part in split(value, "|", name)]
    if len(parts) == 1:
        return tokens.any_system(prefix, parts[0])
    if len(parts) > 2 or not any(parts):  # noqa: PLR2004 - system and code
        raise malformed(name, "is not of the form `system|code`")
    return tokens.exact_token(prefix, *parts) if parts[1] else tokens.any_code(prefix, parts[0])


def _reference(param: Param, modifier: str, alternatives: list[str], base: str) -> Criterion:
    if modifier == "identifier":
        return AnyOf(frozenset(_coded(f"{param.name}:identifier", param.name, value) for value in alternatives))
    if modifier and not _is_target(param, modifier):
        raise unsupported(param.name, modifier)
    bare = [plain(value, param.name) for value in alternatives]
    return AnyOf(frozenset().union(*(_pointed(param, modifier, value, base) for value in bare)))


def _is_target(param: Param, type_: str) -> bool:
    return bool(_TYPE.fullmatch(type_)) and (not param.targets or type_ in param.targets)


def _pointed(param: Param, type_: str, value: str, base: str) -> frozenset[str]:
    """Return the tokens of one target, both relative and under the server's own absolute URL."""
    literal = value.removeprefix(f"{base}/").split("/_history/", 1)[0]
    if _ID.fullmatch(literal) and not (type_ or len(param.targets) == 1):
        return frozenset({tokens.reference_by_id(param.name, literal)})
    if _ID.fullmatch(literal):
        literal = f"{type_ or param.targets[0]}/{literal}"
    typed = _TYPED.fullmatch(literal)
    if typed is None and ":" not in literal:
        raise malformed(param.name, "is no id, no `Type/id` and no URL")
    if type_ and typed and typed[1] != type_:
        raise malformed(param.name, f"names another type than `{type_}`")
    own = frozenset({f"{param.name}|ref|{base}/{literal}"}) if typed else frozenset()
    return own | {f"{param.name}|ref|{literal}"}


def _string(param: Param, modifier: str, alternatives: list[str], _base: str) -> Criterion:
    bare = [plain(value, param.name) for value in alternatives]
    if modifier == "exact":
        return AnyOf(frozenset(tokens.exact_string(param.name, value) for value in bare))
    if modifier:
        raise unsupported(param.name, modifier)
    folded = [tokens.fold(value) for value in bare]
    if not all(folded):
        raise malformed(param.name, "holds neither letter nor digit")
    if any(len(value) > tokens.WHOLE_PREFIX for value in folded):
        raise malformed(param.name, f"is longer than {tokens.WHOLE_PREFIX} characters; use `:exact`")
    return AnyOf(frozenset(tokens.prefix_token(param.name, value) for value in folded))


def _date(param: Param, modifier: str, alternatives: list[str], _base: str) -> Criterion:
    if modifier:
        raise unsupported(param.name, modifier)
    try:
        return DateIs(param.name, tuple(dates.searched(value) for value in alternatives))
    except ValueError as error:
        raise malformed(param.name, f"is {error}") from error


def _uri(param: Param, modifier: str, alternatives: list[str], _base: str) -> Criterion:
    if modifier:
        raise unsupported(param.name, modifier)
    bare = (plain(value, param.name) for value in alternatives)
    return AnyOf(frozenset().union(*(tokens.uri(param.name, value) for value in bare)))


_READERS: dict[str, Callable[[Param, str, list[str], str], Criterion]] = {
    "token": _token,
    "reference": _reference,
    "string": _string,
    "date": _date,
    "uri": _uri,
}


def split(value: str, separator: str, name: str) -> list[str]:
    """Split at every separator without a backslash; the escapes stay in the parts.

    Raises: Problem(MALFORMED) when a backslash escapes anything but `,`, `$`, `|` and itself.
    """
    rest = _ESCAPED.sub("", value)
    if "\\" in rest:
        raise malformed(name, "holds a backslash that escapes nothing")
    if separator not in rest:
        return [value]
    bounds = [match.start() for match in _ESCAPED_OR[separator].finditer(value) if match[0] == separator]
    return [value[start + 1 : end] for start, end in pairwise([-1, *bounds, len(value)])]


def plain(value: str, name: str) -> str:
    """Remove the escapes from a part."""
    split(value, ",", name)
    return re.sub(r"\\(.)", r"\1", value)


def malformed(name: str, text: str) -> Problem:
    """Return the refusal of a value that cannot be read."""
    return Problem.of(Category.MALFORMED, f"search parameter `{name}` {text}", code="value")


def unsupported(name: str, modifier: str) -> Problem:
    """Return the refusal of a modifier."""
    text = f"search parameter `{name}` does not support the modifier `:{modifier}`"
    return Problem.of(Category.UNSUPPORTED, text, code="not-supported")
