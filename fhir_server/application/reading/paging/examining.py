"""Searches by what no index knows: the visible matches of all other criteria are evaluated one by one (ADR 109).

The rows come from the store through the caller's filter, as those of any search; they are evaluated as they would be
shown, so that nobody finds a resource by an element that the answer would leave out. Their number is limited.

Source: https://hl7.org/fhir/R4/search.html#modifiers and #sort.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from consent_rules.visibility import micros
from fhir_server.application.core import access_notices
from fhir_server.application.core.access import PATIENTS_SIDE, Access
from fhir_server.application.core.search_index import PROSE, shown_facts, shown_values, texts_of
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.paging.pages import Turned
from fhir_server.application.reading.read import outcome_of, present
from fhir_server.deadline import demand_time
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import Examined, Order, Place, Search
from fhir_server.domain.search.examined import components_of
from fhir_server.domain.values import Json
from fhir_server.ports.store import Filters
from fhir_server.registry import REGISTRY, SearchParam
from fhir_server.settings import limits

KEY_BYTES = 48
"""How much of a text takes part in the order; the id decides between texts that begin alike."""
_HALF = 1 << 63


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One match. rank: bytes that sort as the search asks, ending in the id: no two matches have the same."""

    shown: Shown
    rank: bytes

    def place(self, *, backward: bool = False) -> Place:
        """Return the position of the match."""
        return Place(0, self.shown.stored.id, self.rank, backward=backward)


def turned(access: Access, search: Search, filters: Filters) -> tuple[Turned, int]:
    """Return one page of a search with `examined` or `order`, and how many resources match.

    Raises: Problem(TOO_COSTLY) when more visible resources than the limit would have to be evaluated.
    """
    ranked = sorted(_matches(search, _candidates(access, search, filters)), key=lambda one: one.rank)
    return _cut(ranked, search), len(ranked)


def _matches(search: Search, candidates: Iterable[Shown]) -> Iterator[_Ranked]:
    for item in candidates:
        demand_time()
        body = _as_shown(item)
        if all(_meets(one, item, body) for one in search.examined):
            yield _Ranked(item, _rank(search, item, body))


def _candidates(access: Access, search: Search, filters: Filters) -> tuple[Shown, ...]:
    most = limits.in_force().examined
    narrowed = tuple(one.narrowed for one in search.examined if one.narrowed)
    plain = replace(search, criteria=(*search.criteria, *narrowed), examined=(), order=(), after=None, limit=most + 1)
    plain = replace(plain, sort="_lastUpdated", descending=True)
    rows = access.snapshot.find(plain, filters).rows
    if len(rows) > most:
        _record_refusal(access)
        text = f"more than {most} resources would have to be compared one by one: name a period, a type or a status too"
        raise Problem.of(Category.TOO_COSTLY, text, code="too-costly")
    return present(access, rows, filters)


def _record_refusal(access: Access) -> None:
    """Store the audit event of a search that ends here: it was about no resource, and showed none."""
    outcome = outcome_of(access.opened, (), found=False)
    confidential = access.caller.requester.kind in PATIENTS_SIDE
    reason = Category.TOO_COSTLY.value
    refused = replace(outcome, code=OutcomeCode.REFUSED, reason=reason, confidential=confidential, beyond=True)
    access_notices.record_access(access, refused)


def _cut(ranked: list[_Ranked], search: Search) -> Turned:
    """Cut one page out of all matches."""
    after, size = search.after, search.limit
    if after is None:
        start, end = 0, size
    elif after.backward:
        end = sum(one.rank < after.rank for one in ranked)
        start = max(0, end - size)
    else:
        start = sum(one.rank <= after.rank for one in ranked)
        end = start + size
    page = ranked[start:end]
    if not page:
        return Turned(())
    following = page[-1].place() if end < len(ranked) else None
    before = page[0].place(backward=True) if start else None
    return Turned(tuple(one.shown for one in page), following, before)


def _as_shown(item: Shown) -> Json:
    body: Json = orjson.loads(bodies.body_for(item.stored, knows_marks=item.knows_marks))
    return body


def _meets(asked: Examined, item: Shown, body: Json) -> bool:
    if asked.how == "indexed":
        facts = shown_facts(body, asked.param, item.stored.facts.access)
        return all(criterion.matches(facts) for criterion, *_ in asked.criteria)
    found = shown_values(body, (asked.param,)).get(asked.param.name, [])
    if asked.how == "together":
        return any(_has_all(asked, item, element) for element in found)
    return any(_TESTS[asked.how](asked, value) for value in found)


def _has_all(asked: Examined, item: Shown, element: Json) -> bool:
    """Tell whether one element has all components of one alternative."""
    components = components_of(REGISTRY[item.stored.type], asked.param)
    facts = [shown_facts(element, component, item.stored.facts.access) for component in components]
    return any(
        all(criterion.matches(one) for criterion, one in zip(criteria, facts, strict=True))
        for criteria in asked.criteria
    )


def _contains(asked: Examined, value: object) -> bool:
    return any(wanted in tokens.fold(text) for text in texts_of(value) for wanted in asked.values)


def _begins(asked: Examined, value: object) -> bool:
    folded = [tokens.fold(text) for text in texts_of(value)]
    if asked.param.name in PROSE:
        return any(text.startswith(asked.values) for text in folded)
    return any(f" {wanted}" in f" {text}" for text in folded for wanted in asked.values)


def _has_text(asked: Examined, value: object) -> bool:
    folded = [f" {tokens.fold(text)}" for text in _displays(value)]
    return any(f" {wanted}" in text for text in folded for wanted in asked.values)


def _displays(value: object) -> Iterator[str]:
    """Yield the words beside a code: of a CodeableConcept, a Coding, or the type of an Identifier."""
    if isinstance(value, dict):
        named = (value, value.get("type", {})) if isinstance(value.get("type"), dict) else (value,)
        for one in named:
            yield from (str(one[name]) for name in ("text", "display") if name in one)
            yield from (str(coding["display"]) for coding in one.get("coding", ()) if "display" in coding)


def _is_of_type(asked: Examined, value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), dict):
        return False
    codings = [(one.get("system"), one.get("code")) for one in value["type"].get("coding", ())]
    return any((system, code) in codings and value.get("value") == number for system, code, number in asked.triples)


def _is_below(asked: Examined, value: object) -> bool:
    return any(_lies_below(str(value), wanted, asked.param) for wanted in asked.values)


def _is_above(asked: Examined, value: object) -> bool:
    return any(_lies_below(wanted, str(value), asked.param) for wanted in asked.values)


def _lies_below(value: str, root: str, param: SearchParam) -> bool:
    """Tell whether a media type or a URL equals `root` or lies below it; other URIs have no hierarchy."""
    if value == root:
        return True
    if param.type == "token":
        return ";" not in root and value.partition(";")[0].strip() == root
    return root.startswith(("http://", "https://")) and value.startswith(f"{root.rstrip('/')}/")


_TESTS = {
    "contains": _contains,
    "begins": _begins,
    "text": _has_text,
    "of-type": _is_of_type,
    "below": _is_below,
    "above": _is_above,
}


def _rank(search: Search, item: Shown, body: Json) -> bytes:
    orders = search.order or (Order(search.sort, _param(search), search.descending),)
    keys = (_directed(_key(order, item, body), order).ljust(KEY_BYTES, _padding(order)) for order in orders)
    return b"".join(keys) + _directed(UUID(item.stored.id).bytes, orders[-1])


def _param(search: Search) -> SearchParam | None:
    return next((one for one in REGISTRY[search.type].search if one.name == search.sort), None)


def _directed(key: bytes, order: Order) -> bytes:
    return bytes(255 - one for one in key) if order.descending else key


def _padding(order: Order) -> bytes:
    return b"\xff" if order.descending else b"\0"


def _key(order: Order, item: Shown, body: Json) -> bytes:
    """Return what one row is sorted by; a missing date counts as 1970, any other missing value comes before all others.

    Of several values, the first in the order counts.
    """
    if order.name == "_id":
        return item.stored.id.encode()[:KEY_BYTES]
    if order.param is None:
        return _number(micros(bodies.last_updated(item.stored, knows_marks=item.knows_marks)))
    if order.param.type == "date":
        dates = shown_facts(body, order.param, item.stored.facts.access).dates
        return _number(dates.get(order.param.name, (0, 0))[0])
    values = shown_values(body, (order.param,)).get(order.param.name, [])
    found = (tokens.fold(text).encode()[:KEY_BYTES] for value in values for text in _sorted_texts(value))
    return (max if order.descending else min)(found, default=b"")


def _number(value: int) -> bytes:
    return (value + _HALF).to_bytes(8, "big")


def _sorted_texts(value: Any) -> Iterable[str]:  # noqa: ANN401 - any value of an element
    """Return what a value is sorted by: a name by family and given names, a code by its code, a text by itself."""
    if isinstance(value, dict) and ("family" in value or "given" in value):
        return (" ".join((str(value.get("family", "")), *map(str, value.get("given", ())))),)
    return texts_of(value) if isinstance(value, str) else _codes(value)


def _codes(value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, dict):
        codes = [one.get("code") for one in value.get("coding", (value,))]
        yield from (str(one) for one in (*codes, value.get("value")) if one is not None)
        yield from texts_of(value) if not any(codes) and "value" not in value else ()
