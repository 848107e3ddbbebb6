"""Generated facts, visibilities and searches, and the naive model that the stores are held against."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from consent_rules.visibility import AccessFacts, Clause, Extent
from consent_rules.vocabulary import Label, Mark
from fhir_server.domain.search.criteria import DATE_OPS, AnyOf, DateIs, NoneOf, Search
from fhir_server.domain.stored import Facts, Stored, authored_of
from tests.factories import AT, an_id

KINDS = ("", "11488-4", "60591-5")
CATEGORIES = ("", "11369-6")
PERSONS = ("", "Practitioner/1", "Practitioner/2")
ORGANIZATIONS = ("", "Organization/1", "Practitioner/1")
CLIENTS = ("", "Device/1")
TOKENS = tuple(f"type|s|{code}" for code in "abcd")
INSTANTS = tuple(AT + timedelta(microseconds=step) for step in (-1, 0, 1, 10))

marks = st.integers(0, 31).map(Mark)
labels = st.integers(0, 511).map(Label)
small = st.integers(-3, 3)
intervals = st.tuples(small, st.integers(1, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))
some_tokens = st.frozensets(st.sampled_from(TOKENS))
some_instant = st.sampled_from(INSTANTS)


def maybe(strategy):
    return st.none() | strategy


access = st.builds(
    AccessFacts,
    compartment=st.just(""),
    kind=st.sampled_from(KINDS),
    category=st.sampled_from(CATEGORIES),
    marks=marks,
    sealed_until=maybe(some_instant),
    owner_person=st.sampled_from(PERSONS),
    owner_organization=st.sampled_from(ORGANIZATIONS),
    owner_client=st.sampled_from(CLIENTS),
    labels=maybe(labels),
)
extents = st.builds(
    Extent,
    documents=maybe(st.frozensets(st.integers(0, 5))),
    kinds=maybe(st.frozensets(st.sampled_from(KINDS))),
    categories=maybe(st.frozensets(st.sampled_from(CATEGORIES))),
    since=maybe(small),
    until=maybe(small),
    labels=labels,
)
"""Documents are numbers of the population: `naming` puts their ids in."""
clauses = st.builds(
    Clause,
    kinds=maybe(st.frozensets(st.sampled_from(KINDS))),
    categories=maybe(st.frozensets(st.sampled_from(CATEGORIES))),
    closed_by=marks,
    unsealed_at=maybe(some_instant),
    owned_by=maybe(st.frozensets(st.sampled_from(PERSONS + ORGANIZATIONS + CLIENTS))),
    knows_marks=st.booleans(),
    within=maybe(extents),
    barred=st.lists(extents, max_size=2).map(tuple),
)
facts = st.builds(
    Facts,
    access=access,
    tokens=some_tokens,
    dates=st.dictionaries(st.sampled_from(("creation", "date", "period")), intervals),
)
criteria = st.one_of(
    st.builds(AnyOf, some_tokens),
    st.builds(NoneOf, some_tokens),
    st.builds(
        DateIs,
        st.sampled_from(("date", "period")),
        st.lists(st.tuples(st.sampled_from(sorted(DATE_OPS)), intervals), min_size=1, max_size=2).map(tuple),
    ),
)


@st.composite
def documents(draw):
    """Draw a document without a compartment: the test gives it one."""
    marked_at = draw(maybe(some_instant))
    id_, drawn = an_id(), draw(facts)
    judged = replace(drawn.access, id=id_, authored=authored_of(drawn.dates))
    return Stored(
        "DocumentReference",
        id_,
        1,
        0 if marked_at is None else 1,
        deleted=False,
        last_updated=draw(some_instant),
        marked_at=marked_at,
        body=b'{"resourceType":"DocumentReference"}',
        facts=replace(drawn, access=judged),
    )


def naming(clause, population):
    """Return a clause whose extents name documents of a population by their ids."""

    def named(extent):
        if extent.documents is None:
            return extent
        ids = frozenset(population[number].id for number in extent.documents if number < len(population))
        return replace(extent, documents=ids)

    within = clause.within and named(clause.within)
    return clause._replace(within=within, barred=tuple(map(named, clause.barred)))


def seen_update(document, visibility):
    """Return the instant of the last update as the model's caller sees it."""
    if document.marked_at is not None and visibility.knows_marks(document.facts.access):
        return max(document.last_updated, document.marked_at)
    return document.last_updated


def expected(population, search, visibility):
    """Return the ids that a search must give, in order, by the rules themselves."""

    def value(document):
        if search.sort == "_lastUpdated":
            return seen_update(document, visibility).timestamp() * 1_000_000
        return document.facts.dates.get(search.sort, (0, 0))[0]

    found = [
        document
        for document in population
        if visibility.admits(document.facts.access)
        and all(criterion.matches(document.facts) for criterion in search.criteria)
        and (search.ids is None or document.id in search.ids)
    ]
    found.sort(key=lambda document: (value(document), document.id), reverse=search.descending)
    return [document.id for document in found]


searches = st.builds(
    Search,
    type=st.just("DocumentReference"),
    criteria=st.lists(criteria, max_size=2).map(tuple),
    sort=st.sampled_from(("_lastUpdated", "date", "period")),
    descending=st.booleans(),
    limit=st.integers(1, 5),
)
