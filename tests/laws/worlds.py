"""Random requests on random spaces, and the documents by which views are compared."""

from dataclasses import replace

from hypothesis import strategies as st

from consent_rules.decision.decide import decide
from consent_rules.model import AccessRequest, Directive, Membership, Permit, RecordState, Team
from consent_rules.visibility import AccessFacts, micros
from consent_rules.vocabulary import (
    Action,
    Capacity,
    DirectiveKind,
    Label,
    Mark,
    Proof,
    Purpose,
    SpaceStatus,
    View,
)
from tests.rules.builders import (
    ADULT,
    AUDITOR,
    CAMILLE,
    CHILD,
    DAY,
    EHDS,
    FR,
    HOLDER,
    HOUR,
    INSURER,
    MARTIN,
    MATRIX,
    NOW,
    PARENT,
    PAUL,
    SOFTWARE,
    SUPPORT,
    TEEN,
)

OPEN_MINDED = replace(FR, non_health_roles=True, occupational_physicians=True, hidden_and_sealed_together=True)
PROFILES = (FR, EHDS, OPEN_MINDED)
PROFESSIONALS = (
    PAUL,
    MARTIN,
    replace(PAUL, profession="28"),
    replace(PAUL, profession="93"),
    replace(PAUL, profession="41"),
    replace(PAUL, profession="PCP"),
    replace(PAUL, profession=""),
    replace(PAUL, organization=""),
    replace(MARTIN, capacity=Capacity.OCCUPATIONAL_PHYSICIAN),
    replace(MARTIN, capacity=Capacity.COORDINATING_PHYSICIAN),
    replace(PAUL, person=""),
)
OTHERS = (HOLDER, replace(HOLDER, person="Patient/zoe"), PARENT, SOFTWARE, AUDITOR, SUPPORT, INSURER)
ACTORS = (
    "Practitioner/paul",
    "PractitionerRole/paul-1",
    "Practitioner/martin",
    "Practitioner/zoe",
    "Organization/cabinet",
    "Organization/practice",
    "Organization/chu",
    "CareTeam/t",
    "RelatedPerson/marc",
)
SAMPLE = tuple(
    AccessFacts(CAMILLE, kind, category, Mark(marks), until, *owners)
    for kind, category in (("34112-3", "10"), ("11502-2", "10"), ("REMB", "60"), ("ATTEST-RESID", "95"), ("", ""))
    for marks, until in (
        (0, None),
        (1, None),
        (2, NOW + DAY),
        (2, NOW - DAY),
        (4, None),
        (8, None),
        (16, None),
        (31, NOW),
    )
    for owners in (
        ("", "", ""),
        ("Practitioner/paul", "Organization/cabinet", ""),
        ("Practitioner/zoe", "Organization/cabinet", ""),
        ("", "Organization/chu", "Device/chu"),
    )
)
NAMED = ("d1", "d2")
SAMPLE += tuple(AccessFacts(CAMILLE, "34112-3", "10", labels=held) for held in (Label.NONE, Label.N, Label.PSY))
SAMPLE += tuple(
    AccessFacts(CAMILLE, kind, "10", owner_person=owner, id=id_, authored=authored)
    for kind in ("34112-3", "11502-2")
    for owner in ("", "Practitioner/paul")
    for id_ in NAMED
    for authored in (None, (micros(NOW), micros(NOW + HOUR)), (micros(NOW - DAY), micros(NOW - DAY) + 1))
)
"""Documents of every kind of kind, mark and owner, and some that choices name by id or time."""

times = st.none() | st.integers(-60, 60).map(lambda hours: NOW + hours * HOUR)
some = st.frozensets(st.sampled_from(ACTORS), max_size=3)
directives = st.builds(
    Directive,
    id=st.integers(0, 10**9).map(lambda number: f"c{number}"),
    kind=st.sampled_from([*DirectiveKind, *[DirectiveKind.WITHHELD] * 4]),
    actors=some,
    excluded=st.just(frozenset()) | some,
    purposes=st.frozensets(st.sampled_from((Purpose.TREATMENT, Purpose.BREAK_GLASS, Purpose.EMERGENCY)), max_size=2),
    start=times,
    end=times,
    recorded_at=times,
    proof=st.sampled_from(Proof),
    by_patient=st.booleans(),
    kinds=st.none() | st.just(frozenset({"34112-3"})),
    categories=st.none() | st.just(frozenset({"10"})),
    reason=st.sampled_from(("", "unconscious")),
    documents=st.none() | st.none() | st.frozensets(st.sampled_from(NAMED), max_size=2),
    data_start=st.none() | st.none() | times,
    data_end=st.none() | st.none() | times,
    professions=st.frozensets(st.sampled_from(("10", "70")), max_size=1),
    labels=st.sampled_from((Label.NONE, Label.NONE, Label.N, Label.R | Label.PSY)),
    given_by=st.sampled_from(("", "", "RelatedPerson/marc")),
)
grants = directives.map(
    lambda d: replace(d, start=None, end=d.end and NOW + DAY, recorded_at=NOW - HOUR, excluded=frozenset(), reason="r")
)
teams = st.lists(
    st.builds(
        Team,
        reference=st.just("CareTeam/t"),
        members=st.lists(st.builds(Membership, member=st.sampled_from(ACTORS), start=times, end=times), max_size=2).map(
            tuple
        ),
    ),
    max_size=1,
)
EMERGENCIES = (Purpose.BREAK_GLASS, Purpose.EMERGENCY)


def often(*values, common):
    """Return values of which one is drawn twice as often as all others; the ends of a list are drawn the most."""
    return [*[common] * len(values), *values, *[common] * len(values)]


everybody = frozenset({"Practitioner/paul", "Practitioner/martin", "RelatedPerson/marc"})
places = frozenset({"Organization/cabinet", "Organization/practice", "Organization/chu"})
grounds = st.builds(
    Directive,
    id=st.integers(0, 10**9).map(lambda number: f"g{number}"),
    kind=st.sampled_from(
        (
            *(DirectiveKind.AGREEMENT, DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR),
            *(DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER),
            *[DirectiveKind.EMERGENCY_OPENING] * 3,
        )
    ),
    actors=st.sampled_from((everybody, everybody, places)),
    purposes=st.just(frozenset({Purpose.TREATMENT, Purpose.BREAK_GLASS, Purpose.EMERGENCY})),
    end=st.just(NOW + DAY),
    recorded_at=st.just(NOW - HOUR / 2),
    by_patient=st.just(value=True),
    reason=st.just("unconscious"),
)
"""What lets somebody in at NOW. Without them hardly any random request enters, and no law of reading is tried."""
records = st.builds(
    RecordState,
    patient=st.just(CAMILLE),
    status=st.sampled_from(often(*SpaceStatus, common=SpaceStatus.ACTIVE)),
    since=st.none() | st.integers(-4000, 0).map(lambda days: NOW + days * DAY),
    birth_date=st.sampled_from((ADULT, TEEN, CHILD, None)),
    directives=st.tuples(
        st.lists(grounds, min_size=1, max_size=3, unique_by=lambda d: d.id),
        st.lists(directives | grants, max_size=4, unique_by=lambda d: d.id),
    ).map(lambda some: (*some[0], *some[1])),
    teams=teams.map(tuple),
)

requesters = st.sampled_from(often(*often(*PROFESSIONALS, *OTHERS, common=MARTIN), common=PAUL))
requests = st.builds(
    AccessRequest,
    requester=requesters,
    action=st.sampled_from(often(*Action, common=Action.CONSULT)),
    purpose=st.sampled_from(often(*EMERGENCIES * 3, *Purpose, common=Purpose.TREATMENT)),
    at=st.just(NOW) | st.integers(-70, 70).map(lambda hours: NOW + hours * HOUR),
)
professional_requests = requests.map(lambda r: replace(r, requester=PAUL) if r.requester in OTHERS else r)
profiles = st.sampled_from(PROFILES)
marks = st.integers(0, 31).map(Mark)
facts = st.sampled_from(SAMPLE)


def judge(request, record, rules=FR):
    return decide(request, record, MATRIX, rules)


def view(answer, part=View.DOCUMENTS):
    """Return which documents of the sample an answer shows."""
    if not isinstance(answer, Permit):
        return frozenset()
    seen = answer.sees(part)
    return frozenset(number for number, item in enumerate(SAMPLE) if seen.admits(item))


def everything(answer):
    """Return all that an answer shows, of every part of the space."""
    return {part: view(answer, part) for part in View}


def within(smaller, wider):
    """Tell whether one answer shows nothing that the other does not."""
    a, b = everything(smaller), everything(wider)
    return all(a[part] <= b[part] for part in View)
