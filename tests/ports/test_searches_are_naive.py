"""A search finds on both stores what a naive reading of the visible bodies finds: values are generated, and queries.

Source: https://hl7.org/fhir/R4/search.html.
"""

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_rules.visibility import AccessFacts, Clause
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.paging import examining
from fhir_server.domain.stored import Stored
from fhir_server.http.fhir.search_query import parse
from fhir_server.ports.store import Change, Write
from fhir_server.registry import REGISTRY
from tests.factories import AT, Seen, a_trace, an_id

ROW = REGISTRY["DocumentReference"]
BASE = "https://habilis.example/fhir"
ON_REAL_STORES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
KINDS = ("seen", "hidden")
WORDS = st.lists(st.sampled_from(["écho", "Échographie", "d’un", "genou", "GENOU", "bilan-sanguin", "x"]), max_size=9)
TEXTS = WORDS.map(" ".join)
CODES, SYSTEMS = ("a", "A", "ab"), ("", "urn:s", "urn:t")
CODINGS = st.fixed_dictionaries(
    {"code": st.sampled_from(CODES)},
    optional={"system": st.sampled_from(SYSTEMS[1:]), "display": st.sampled_from(["Compte rendu", "Écho du cœur"])},
)
DATES = st.sampled_from(
    ["2026-03-01T10:00:00Z", "2026-03-01T23:30:00-02:00", "2026-03-02T00:00:00+01:00", "2026-03-31T09:00:00.5Z"]
)
ASKED_DATES = st.tuples(
    st.sampled_from(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"]),
    st.sampled_from(["2026", "2026-03", "2026-03-01", "2026-03-02", "2026-03-01T10:00Z", "2026-03-02T01:30:00+00:00"]),
)
DOCUMENTS = st.fixed_dictionaries(
    {"status": st.sampled_from(["current", "superseded"])},
    optional={
        "description": TEXTS.filter(lambda text: text.strip(" ")),
        "type": st.fixed_dictionaries({"coding": st.lists(CODINGS, min_size=1, max_size=2)}),
        "date": DATES,
        "relatesTo": st.lists(
            st.fixed_dictionaries(
                {"code": st.sampled_from(["replaces", "appends"]), "target": st.fixed_dictionaries(
                    {"reference": st.sampled_from(["DocumentReference/1", "DocumentReference/2"])})}
            ), min_size=1, max_size=2,
        ),
    },
)  # fmt: skip


def fold(text):
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", bare))


def codings(document):
    return document.get("type", {}).get("coding", [])


def has_code(document, asked):
    system, bar, code = asked.rpartition("|")
    return any(
        (not code or one["code"] == code) and (not bar or one.get("system", "") == system) for one in codings(document)
    )


def instant(text):
    return datetime.fromisoformat(text)


def span(text):
    """Return the first instant of what a date says, and the first one after it."""
    if "T" not in text:
        year, month, day = [*map(int, text.split("-")), 0, 0][:3]
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            return start, start + timedelta(days=1)
        months = year * 12 + (month or 12)
        return start, datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
    start = instant(text)
    seconds = text.count(":") - text.partition("+")[2].count(":") > 1
    size = timedelta(milliseconds=100) if "." in text else timedelta(seconds=1 if seconds else 60)
    return start, start + size


def compares(document, prefix, asked):
    if "date" not in document:
        return False
    (low, high), (first, last) = span(document["date"]), span(asked)
    within = first <= low and high <= last
    above, below = high > last, low < first
    return {
        "eq": within, "ne": not within, "gt": above, "lt": below, "ge": above or low >= first,
        "le": below or high <= last, "sa": low >= last, "eb": high <= first,
    }[prefix or "eq"]  # fmt: skip


def pairs(document):
    return [(one["code"], one["target"]["reference"]) for one in document.get("relatesTo", [])]


TOKENS = st.builds(
    lambda s, b, c: f"{s}|{c}" if b else c, st.sampled_from(SYSTEMS), st.booleans(), st.sampled_from(CODES)
)
LETTERS = TEXTS.filter(fold)
RELATIONS = st.tuples(st.sampled_from(["replaces", "appends"]), st.sampled_from(["1", "2", "3"]))
QUERIES = st.one_of(
    TOKENS.map(lambda v: (("type", v), lambda d: has_code(d, v))),
    TOKENS.map(lambda v: (("type:not", v), lambda d: not has_code(d, v))),
    st.sampled_from(["true", "false"]).map(
        lambda v: (("type:missing", v), lambda d: ("type" not in d) == (v == "true"))
    ),
    st.sampled_from(["compte", "CŒUR", "echo du"]).map(
        lambda v: (
            ("type:text", v),
            lambda d: any(f" {fold(v)}" in f" {fold(one.get('display', ''))}" for one in codings(d)),
        )
    ),
    LETTERS.map(lambda v: (("description", v), lambda d: fold(d.get("description", "")).startswith(fold(v)))),
    LETTERS.map(lambda v: (("description:contains", v), lambda d: fold(v) in fold(d.get("description", "")))),
    LETTERS.map(lambda v: (("description:exact", v), lambda d: d.get("description") == v)),
    ASKED_DATES.map(lambda v: (("date", "".join(v)), lambda d: compares(d, *v))),
    st.sampled_from(["replaces", "appends"]).map(
        lambda v: (("relation", v), lambda d: any(code == v for code, _ in pairs(d)))
    ),
    RELATIONS.map(
        lambda v: (
            ("relationship", f"{v[0]}$DocumentReference/{v[1]}"),
            lambda d: (v[0], f"DocumentReference/{v[1]}") in pairs(d),
        )
    ),
)


def stored(patient, kind, elements):
    id_ = an_id()
    resource = {"resourceType": "DocumentReference", "id": id_} | elements
    facts = facts_of(resource, AccessFacts(patient, kind, id=id_), ROW)
    return Stored("DocumentReference", id_, 1, 0, False, AT, None, orjson.dumps(resource), facts)  # noqa: FBT003


def found(store, parsed, visibility):
    """Return the ids that a search finds: what the store finds, and of that what the comparison keeps."""
    search = parsed.wanted("").search
    narrowed = tuple(one.narrowed for one in search.examined if one.narrowed)
    asked = replace(search, criteria=(*search.criteria, *narrowed), examined=(), limit=100)
    with store.snapshot() as snapshot:
        rows = snapshot.find(asked, visibility).rows
    return {
        row.id
        for row in rows
        if all(examining._meets(one, Shown(row, knows_marks=False), orjson.loads(row.body)) for one in search.examined)
    }


@ON_REAL_STORES
@given(st.lists(st.tuples(st.sampled_from(KINDS), DOCUMENTS), max_size=8), st.lists(QUERIES, min_size=1, max_size=3))
def test_a_search_finds_what_a_naive_reading_of_the_visible_bodies_finds(store, drawn, queries):
    patient = an_id()
    population = [stored(patient, kind, elements) for kind, elements in drawn]
    store.commit(Change((a_trace(),), tuple(Write(one, (0, 0)) for one in population)))
    visibility = Seen(patient, (Clause(kinds=frozenset({"seen"})),))
    parsed = parse(ROW, [asked for asked, _ in queries], BASE, strict=True)
    wanted = {
        one.id
        for one, (kind, elements) in zip(population, drawn, strict=True)
        if kind == "seen" and all(naive(elements) for _, naive in queries)
    }
    assert found(store, parsed, visibility) == wanted, [asked for asked, _ in queries]


ORDERS = st.lists(
    st.tuples(st.sampled_from(["status", "description", "date", "type"]), st.booleans()), min_size=2, max_size=4
)


def naive_key(elements, name):
    if name == "date":
        return span(elements["date"])[0] if "date" in elements else datetime(1970, 1, 1, tzinfo=UTC)
    if name == "type":
        return sorted(fold(one["code"]) for one in codings(elements)) or [""]
    return fold(elements.get(name, "")).encode()[: examining.KEY_BYTES]


@settings(max_examples=100, deadline=None)
@given(st.lists(DOCUMENTS, min_size=2, max_size=8), ORDERS)
def test_an_order_by_several_keys_is_that_of_one_sort_after_another(drawn, orders):
    asked = ",".join(f"{'-' * down}{name}" for name, down in orders)
    search = parse(ROW, [("_sort", asked)], BASE, strict=True).wanted("").search
    rows = [(one, Shown(stored("p", "seen", one), knows_marks=False)) for one in drawn]
    ranked = sorted(rows, key=lambda row: examining._rank(search, row[1], orjson.loads(row[1].stored.body)))
    naive = sorted(rows, key=lambda row: row[1].stored.id, reverse=orders[-1][1])
    for name, down in reversed(orders):

        def key(row, name=name, down=down):
            found = naive_key(row[0], name)
            return (max if down else min)(found) if isinstance(found, list) else found

        naive = sorted(naive, key=key, reverse=down)  # equals keep their order in both directions
    assert [row[1].stored.id for row in ranked] == [row[1].stored.id for row in naive]
