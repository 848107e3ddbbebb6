"""For any stored choices, also those that no door takes any more, every other act of their space still works.

The values are generated as an earlier version, a later one or damage may have left them: any instant of the calendar,
any kind and party, and parts that cannot be read at all. They are about strangers, so that they decide nothing else.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_rules.model import Directive
from consent_rules.vocabulary import Capacity, DirectiveKind, Grade, Label, Proof, Purpose
from fhir_server.app import build_runtime
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.spaces import consent_repairs
from fhir_server.domain import record_codec
from fhir_server.ports.store import Change, SpaceWrite
from tests.engines import ENGINES, make_engine
from tests.http.choices import INACTIVE
from tests.http.spaces import call, reason
from tests.world import JSON_PATCH, TERMINOLOGY, World

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ANY_INSTANT = st.datetimes(datetime.min, datetime.max, timezones=st.just(UTC))  # noqa: DTZ901 - the zone is added
INSTANTS = st.sampled_from([None, FIRST, LAST]) | ANY_INSTANT
PEOPLE = st.just(frozenset({"Practitioner/a"}))
ANYBODY = st.sampled_from(["PractitionerRole/b", "Organization/c", "CareTeam/d", "RelatedPerson/e", "junk"])
STRANGERS = PEOPLE | st.frozensets(ANYBODY, min_size=1)
SOME = st.none() | st.frozensets(st.sampled_from(["34112-3", "11", "x"]))
STORED = st.builds(
    Directive,
    id=st.uuids(version=4).map(str),
    kind=st.sampled_from([DirectiveKind.AGREEMENT, DirectiveKind.BLOCK, *DirectiveKind]),
    actors=STRANGERS,
    excluded=st.frozensets(st.just("Practitioner/f")),
    purposes=st.frozensets(st.sampled_from(Purpose)),
    start=INSTANTS,
    end=INSTANTS,
    recorded_at=INSTANTS,
    proof=st.sampled_from(Proof),
    by_patient=st.booleans(),
    recorder=st.sampled_from(["", "Practitioner/a"]),
    kinds=SOME,
    categories=SOME,
    documents=SOME,
    data_start=INSTANTS,
    data_end=INSTANTS,
    professions=st.frozensets(st.sampled_from(["10", "60"])),
    labels=st.sampled_from(list(Label)),
    grade=st.sampled_from(Grade),
    given_by=st.sampled_from(["", "RelatedPerson/e", "junk"]),
)
DAMAGE = st.sampled_from(
    [
        {},
        {"kind": "of-a-later-version"},
        {"purposes": ["UNKNOWN"]},
        {"proof": 7},
        {"start": 2**62},
        {"end": -(2**62)},
        {"recorded_at": "yesterday"},
        {"labels": 1 << 40},
        {"of-a-later-version": True},
        {"actors": 5},
    ]
)
numbers = count(1)


@pytest.fixture(params=ENGINES)
def runtime(request, settings, clock, tmp_path) -> Iterator[Runtime]:
    engine = make_engine(request.param, request, tmp_path)
    served = build_runtime(settings, replace(engine.ports, clock=clock))
    many = replace(served.profile.ceilings, spaces_an_hour=10_000, spaces_a_day=10_000, spaces_a_day_each=10_000)
    yield replace(served, profile=replace(served.profile, ceilings=many))
    engine.close()


def _store(world, name, damaged):
    """Put choices and their damage into the decision state, past every door."""
    patient, store = world.ids[name], world.runtime.ports.store
    with store.snapshot() as snapshot:
        space = snapshot.load_space(patient)
    record = record_of(patient, space)
    state = orjson.loads(record_codec.dump(replace(record, directives=tuple(one for one, _ in damaged))))
    for stored, (_, damage) in zip(state["directives"], damaged, strict=True):
        stored.update(damage)
    store.commit(Change((), spaces=(SpaceWrite(patient, space.revision, orjson.dumps(state)),)))


def _acts(world, name):
    """Yield (what, answer) of everything that a space is asked by its holder and by those who care for the holder."""
    patient = {"reference": f"Patient/{world.ids[name]}"}
    search = f"/DocumentReference?patient={world.ids[name]}"

    def consent(who, type_="permit", **provision):
        made = world.consent(who, type_)
        return made | {"patient": patient, "provision": made["provision"] | provision}

    def choose(body):
        return world.send(name, "POST", "/Consent", body)

    yield "agree", choose(consent("martin"))
    yield "a colleague reads", world.get("martin", search)
    yield "write down", world.send("zoe", "POST", "/Consent", consent("zoe"))
    blocked = choose(consent("zoe", "deny"))
    yield "block", blocked
    yield "unblock", world.send(name, "PATCH", f"/Consent/{blocked.get_json()['id']}", INACTIVE, JSON_PATCH)
    document = world.publish(patient=name)
    yield "hide", world.hide(document, name)
    yield "read", world.get(name, f"/DocumentReference/{document}")
    rule = {"coding": [{"system": "urn:habilis:directive", "code": "hidden-by-default"}]}
    yield "hide all", choose(consent("nour") | {"policyRule": rule, "provision": {"type": "permit"}})
    yield "explain", world.get(name, f"/Patient/{world.ids[name]}/$explain")
    yield "journal", world.get(name, f"/AuditEvent?patient={world.ids[name]}")
    yield "notices", world.get(name, f"/Communication?patient={world.ids[name]}")
    yield "break the glass", call(world, "nour-btg", "break-glass", name, reason())
    off = {"system": f"{TERMINOLOGY}/v3-ActReason", "code": "BTG"}
    switch = consent("nour", "deny") | {"provision": {"type": "deny", "purpose": [off]}}
    yield "switch emergencies off", choose(switch)
    yield "close", call(world, name, "close-space", name)
    yield "open again", call(world, name, "open-space", name)


def _hold(world, damaged):
    name = f"p{next(numbers)}"
    world.patient(name, f"1840399999{next(numbers):05}")
    _store(world, name, damaged)
    failed = {what: (answer.status_code, answer.get_data(as_text=True)[:300]) for what, answer in _acts(world, name)}
    assert {what: told for what, told in failed.items() if told[0] not in (200, 201)} == {}
    consent_repairs.repair(world.runtime, world.ids[name], "ops@host")
    assert [one for one in consent_repairs.faults(world.runtime) if one.patient == world.ids[name]] == []


def test_every_act_works_beside_any_stored_choice(world: World, request):
    world.in_mode("nour-btg", "nour", ("10", "chu", Capacity.NONE), "BTG")
    examples = 30 if "sqlite" in request.node.name else 6

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(STORED, DAMAGE), min_size=1, max_size=4))
    def law(damaged):
        _hold(world, damaged)

    law()
