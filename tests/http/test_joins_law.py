"""The law of joins: a search joins exactly what its caller would join by hand, reading each resource alone.

Worlds and requests are generated; both stores answer.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.app import build_runtime
from fhir_server.application.reading.joining import joins as joins_module
from fhir_server.application.reading.joining.joins import Joins
from tests.adversarial.test_joins_tell_nothing import as_stored, unfiltered
from tests.conftest import FixedClock
from tests.engines import ENGINES, make_engine
from tests.factories import settings_in
from tests.http.joined_by_hand import (
    CALLERS,
    CONDITIONS,
    IN_DIRECTORY,
    REFERENCES,
    TYPES,
    Link,
    draw,
    meets,
    named,
    spelt,
)
from tests.world import World, client_of

SEEDS = range(3)
ON_DRAWN_WORLDS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module", params=ENGINES)
def worlds(request, tmp_path_factory):
    """Return the drawn worlds, on one of the stores."""
    opened, engines = [], []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"drawn{seed}")
        engine = make_engine(request.param, request, folder)
        engines.append(engine)
        served = build_runtime(replace(settings_in(folder), key_file=engine.key_file), engine.ports)
        served = replace(served, ports=replace(engine.ports, clock=FixedClock()))
        world = World(served, client_of(settings_in(folder), served))
        here(world)
        opened.append(draw(world.open(), seed))
    yield opened
    for engine in engines:
        engine.close()


def here(world):
    world.web.application.extensions["habilis.runtime"] = world.runtime


def steps_of(type_):
    """Return the links by which a search of a type may begin."""
    forward = [
        Link(forward=True, param=param, type=target)
        for param in REFERENCES[type_]
        for target in TYPES
        if _may(type_, param, target)
    ]
    back = [
        Link(forward=False, param=param, type=source)
        for source in TYPES
        for param in REFERENCES[source]
        if _may(source, param, type_) and not (type_ in IN_DIRECTORY and source not in IN_DIRECTORY)
    ]
    return [*forward, *back]


_LEADS = {
    ("DocumentReference", "author"): ("Practitioner", "Organization", "Patient", "PractitionerRole"),
    ("DocumentReference", "custodian"): ("Organization",),
    ("DocumentReference", "relatesto"): ("DocumentReference",),
    ("List", "item"): TYPES,
    ("List", "source"): ("Practitioner", "Patient", "PractitionerRole"),
    ("Provenance", "target"): TYPES,
    ("Provenance", "agent"): ("Practitioner", "PractitionerRole", "Patient", "Organization"),
    ("Consent", "actor"): ("Practitioner", "Organization", "Patient", "PractitionerRole"),
    ("Consent", "organization"): ("Organization",),
    ("Consent", "data"): TYPES,
    ("PractitionerRole", "practitioner"): ("Practitioner",),
    ("PractitionerRole", "organization"): ("Organization",),
    ("Organization", "partof"): ("Organization",),
}


def _may(type_, param, target):
    return target in _LEADS.get((type_, param), ("Patient",))


@st.composite
def joins(draw):
    """Draw the type of a search and what it joins, three links at most."""
    base = draw(st.sampled_from(TYPES))
    links, type_ = [], base
    for _ in range(draw(st.integers(1, 3))):
        possible = steps_of(type_)
        if not possible:
            break
        links.append(draw(st.sampled_from(possible)))
        type_ = links[-1].type
    text, meaning = draw(st.sampled_from(CONDITIONS[type_]))
    return base, tuple(links), text, meaning


def listed(drawn, who, base, query=""):
    """Return the answer to a search of a type, which names the patient where it must."""
    camille = drawn.world.ids["camille"]
    start = "" if base in IN_DIRECTORY else f"_id={camille}" if base == "Patient" else f"patient={camille}"
    return drawn.world.get(who, f"/{base}?{start}&{query}&_count=200".replace("?&", "?").replace("&&", "&"))


def ids_of(answer, mode="match"):
    entries = answer.get_json().get("entry", ())
    return {
        (entry["resource"]["resourceType"], entry["resource"]["id"])
        for entry in entries
        if entry["search"]["mode"] == mode
    }


def answered(drawn, who, asked):
    """Return what a search answers, and what its caller would have joined by hand: a status, or (type, id) of each."""
    base, links, text, meaning = asked
    here(drawn.world)
    plain, answer = listed(drawn, who, base), listed(drawn, who, base, spelt(links, text))
    found = (ids_of(answer), answer.get_json()["total"]) if answer.status_code == 200 else answer.status_code
    if plain.status_code != 200:
        return found, plain.status_code
    if who == "iris" and {link.type for link in links} - {"DocumentReference", "List", "Practitioner"}:
        return found, 403
    shown = drawn.read(who)
    expected = {name for name in ids_of(plain) if name in shown and meets(shown, shown[name], links, meaning)}
    return found, (expected, len(expected))


@ON_DRAWN_WORLDS
@given(st.sampled_from(SEEDS), st.sampled_from(CALLERS), joins())
def test_a_search_finds_what_its_caller_would_join_by_hand(worlds, seed, who, asked):
    found, expected = answered(worlds[seed], who, asked)
    assert found == expected


@pytest.mark.parametrize("part", ["_refers", "_referred"])
def test_the_law_finds_a_step_without_its_filter(worlds, monkeypatch, part):
    """The fault is planted: one kind of step reads the whole space."""
    monkeypatch.setattr(Joins, part, unfiltered(getattr(Joins, part)))
    monkeypatch.setattr(joins_module, "present", as_stored)
    questions = [
        (base, (link,), text, meaning)
        for base in ("Patient", "List", "Consent", "Provenance")
        for link in steps_of(base)
        for text, meaning in CONDITIONS[link.type]
    ]
    answers = (answered(worlds[0], who, asked) for who in ("martin", "nour") for asked in questions)
    assert any(found != expected for found, expected in answers)


def literals(body, param):
    return [one for one in named(body, param) if isinstance(one, tuple)]


@st.composite
def includes(draw):
    """Draw the type of a search, and what comes along: (forward, source, parameter)."""
    base = draw(st.sampled_from(TYPES))
    forward = [(True, base, param) for param in REFERENCES[base]]
    back = [(False, link.type, link.param) for link in steps_of(base) if not link.forward]
    return base, draw(st.lists(st.sampled_from([*forward, *back]), min_size=1, max_size=3))


@ON_DRAWN_WORLDS
@given(st.sampled_from(SEEDS), st.sampled_from(CALLERS), includes())
def test_what_comes_along_is_what_its_caller_would_read(worlds, seed, who, asked):
    drawn, (base, wanted) = worlds[seed], asked
    here(drawn.world)
    plain = listed(drawn, who, base)
    query = "&".join(
        f"{'_include' if forward else '_revinclude'}={source}:{param}" for forward, source, param in wanted
    )
    answer = listed(drawn, who, base, query)
    assert answer.status_code == plain.status_code
    if plain.status_code != 200:
        return
    shown, matches = drawn.read(who), ids_of(plain)
    assert ids_of(answer) == matches
    come = set()
    for forward, source, param in wanted:
        if forward:
            targets = {one for name in matches for one in literals(shown[name], param)}
            come |= targets & shown.keys()
        else:
            sources = ((name, body) for name, body in shown.items() if name[0] == source)
            come |= {
                name for name, body in sources if matches & {o for o in named(body, param) if isinstance(o, tuple)}
            }
    assert ids_of(answer, "include") == come - matches
    assert answer.get_json()["total"] == plain.get_json()["total"]
