"""Criteria and orders that need values: they are evaluated on resources as the caller sees them.

The stores keep keyed hashes, which answer whether a value is equal or begins alike, and nothing else. What asks for
more is evaluated on the visible resources of one space that meet all other criteria, up to a limit (ADR 109). So
nobody finds a resource by an element that the answer would not show.

Source: https://hl7.org/fhir/R4/search.html#modifiers, #token, #composite and #sort.
"""

from dataclasses import replace

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens, values
from fhir_server.domain.search.criteria import AnyOf, Examined, How, Order
from fhir_server.registry import ResourceType, SearchParam

MOST_KEYS = 4
"""How many parameters a search may sort by."""
_MIME = "urn:ietf:bcp:13"
_HOWS: dict[tuple[str, str], How] = {
    ("string", "contains"): "contains",
    ("token", "text"): "text",
    ("token", "of-type"): "of-type",
    ("token", "above"): "above",
    ("token", "below"): "below",
    ("uri", "above"): "above",
    ("uri", "below"): "below",
}
_SORTED = frozenset({"token", "string", "date", "uri"})


def examined(row: ResourceType, param: SearchParam, modifier: str, raw: str, fhir_base: str) -> Examined | None:
    """Return the criterion of one parameter value, None when the index answers it.

    Raises: Problem(MALFORMED) for a value that cannot be read; UNSUPPORTED for a modifier.
    """
    if param.type == "composite":
        return _together(row, param, modifier, raw, fhir_base)
    how = _HOWS.get((param.type, modifier))
    if how:
        return _compared(param, how, raw)
    if param.examined:
        return Examined(param, "indexed", criteria=((values.of_values(param, modifier, raw, fhir_base),),))
    if param.type == "string" and not modifier and _is_long(param, raw):
        folded = _folded(param, raw)
        beginnings = (tokens.prefix_token(param.name, one[: tokens.WHOLE_PREFIX].rstrip()) for one in folded)
        return Examined(param, "begins", folded, narrowed=AnyOf(frozenset(beginnings)))
    return None


def order_of(row: ResourceType, raw: str) -> tuple[Order, ...]:
    """Return the keys of `_sort`, the first one first.

    Raises: Problem(UNSUPPORTED) for what the type cannot be sorted by; TOO_COSTLY for too many keys.
    """
    names = raw.split(",")
    if len(names) > MOST_KEYS:
        raise Problem.of(Category.TOO_COSTLY, f"`_sort` takes at most {MOST_KEYS} parameters", code="_sort")
    return tuple(_order(row, name) for name in names)


def _order(row: ResourceType, raw: str) -> Order:
    name = raw.removeprefix("-")
    param = next((one for one in row.search if one.name == name and one.type in _SORTED and not one.chain[0]), None)
    if param is None and name not in ("_lastUpdated", "_id"):
        text = f"`_sort` takes `_lastUpdated`, `_id` and the string, token, date and uri parameters of {row.name}"
        raise Problem.of(Category.UNSUPPORTED, text, code="_sort")
    return Order(name, param, raw.startswith("-"))


def _compared(param: SearchParam, how: How, raw: str) -> Examined:
    narrowed = None if param.marks or param.examined else AnyOf(frozenset({tokens.present(param.name)}))
    if how in ("contains", "text"):
        return Examined(param, how, _folded(param, raw), narrowed=narrowed)
    if how == "of-type":
        triples = tuple(_triple(param, one) for one in values.alternatives(raw, param.name))
        return Examined(param, how, triples=triples, narrowed=narrowed)
    if param.type == "token" and param.system != _MIME:
        text = f"`{param.name}` does not support the modifier `:{how}`: the server knows no hierarchy of its codes"
        raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
    plain = tuple(values.plain(one, param.name) for one in values.alternatives(raw, param.name))
    return Examined(param, how, plain, narrowed=narrowed)


def _folded(param: SearchParam, raw: str) -> tuple[str, ...]:
    found = tuple(tokens.fold(values.plain(one, param.name)) for one in values.alternatives(raw, param.name))
    if not all(found):
        raise values.malformed(param.name, "holds neither letter nor digit")
    return found


def _is_long(param: SearchParam, raw: str) -> bool:
    folded = (tokens.fold(values.plain(one, param.name)) for one in values.alternatives(raw, param.name))
    return any(len(one) > tokens.WHOLE_PREFIX for one in folded)


def _triple(param: SearchParam, raw: str) -> tuple[str, str, str]:
    parts = [values.plain(one, param.name) for one in values.split(raw, "|", param.name)]
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - system, code, value
        raise values.malformed(param.name, "is not of the form `system|code|value` with `:of-type`")
    return parts[0], parts[1], parts[2]


def _together(row: ResourceType, param: SearchParam, modifier: str, raw: str, base: str) -> Examined:
    if modifier:
        raise values.unsupported(param.name, modifier)
    components = components_of(row, param)
    found = []
    for one in values.alternatives(raw, param.name):
        parts = values.split(one, "$", param.name)
        if len(parts) != len(components) or not all(parts):
            form = "$".join(component.name for component in components)
            raise values.malformed(param.name, f"is not of the form `{form}`")
        found.append(tuple(values.of_values(c, "", part, base) for c, part in zip(components, parts, strict=True)))
    return Examined(param, "together", criteria=tuple(found))


def components_of(row: ResourceType, param: SearchParam) -> tuple[SearchParam, ...]:
    """Return the components of a composite parameter, with paths that begin at the element of the composite."""
    start = f"{param.paths[0]}."
    named = {one.name: one for one in row.search}
    found = (named[name] for name in param.components)
    return tuple(replace(one, paths=tuple(path.removeprefix(start) for path in one.paths)) for one in found)
