"""Laws of the Consent mapping: what is written compiles to itself, and nothing of a Consent is ignored in silence."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consent_rules.matrix.table import professions
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Label, Purpose
from fhir_server.domain.consents.directives import access_of, consent_of, directives_of
from fhir_server.domain.consents.elements import ACT_CODE, ACT_REASON, DIRECTIVE
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY
from fhir_server.domain.problem import Problem
from tests.rules.consents import G15, actor, class_, consent, label, profession, purposes

K = DirectiveKind
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TREAT, BTG, ETREAT = Purpose.TREATMENT, Purpose.BREAK_GLASS, Purpose.EMERGENCY


def maybe(strategy):
    return st.none() | strategy


def some(values, **more):
    return st.frozensets(st.sampled_from(sorted(values)), **more)


ACTORS = ("Practitioner/paul", "PractitionerRole/zoe-1", "Organization/chu", "CareTeam/t")
RELATIVE = "RelatedPerson/marc"
instants = st.integers(0, 10**8).map(lambda seconds: START + timedelta(seconds=seconds))
periods = st.tuples(maybe(instants), maybe(instants)).filter(lambda p: p[0] is None or p[1] is None or p[0] < p[1])
limits = st.fixed_dictionaries(
    {
        "documents": maybe(some(("d1", "d2", "3f2a-9.x"), min_size=1)),
        "categories": maybe(some(("10", "42", "90"), min_size=1)),
        "kinds": maybe(some(("34112-3", "11502-2", "REMB"), min_size=1)),
        "written": periods,
        "labels": st.integers(0, 511).map(Label),
    }
)


def limited(kind, **said):
    limit, period = said.pop("limit"), said.pop("period")
    since, until = limit.pop("written")
    return Directive(
        "c1", kind, recorded_at=START, start=period[0], end=period[1], data_start=since, data_end=until, **limit, **said
    )


agreements = st.builds(
    limited,
    st.just(K.AGREEMENT),
    actors=some(ACTORS, min_size=1),
    excluded=some(ACTORS),
    purposes=some((TREAT, BTG, ETREAT)),
    limit=limits,
    period=periods,
)
withholdings = st.builds(
    limited,
    st.just(K.WITHHELD),
    actors=some(ACTORS),
    excluded=some(ACTORS),
    professions=some(code for code, known in professions().items() if known.system == G15),
    purposes=some((TREAT, BTG, ETREAT)),
    limit=limits,
    period=periods,
).filter(lambda said: said.precision)


relatives = st.builds(
    limited,
    st.sampled_from((K.AGREEMENT, K.WITHHELD)),
    actors=some(("RelatedPerson/camille", "RelatedPerson/marc"), min_size=1),
    limit=limits,
    period=periods,
).filter(lambda said: said.precision or said.kind is K.WITHHELD)


@given(agreements | withholdings | relatives)
def test_what_is_written_compiles_to_itself(said):
    assert directives_of(consent_of(said, "camille", "Organization/chu"), "c1") == (said,)


WILD = st.fixed_dictionaries(
    {},
    optional={
        "system": st.sampled_from((CONFIDENTIALITY, ACT_CODE, ACT_REASON, DIRECTIVE, "urn:x")),
        "code": st.sampled_from(("N", "R", "PSY", "TREAT", "BTG", "withheld", "ask-first", "34112-3")),
    },
)
wild_references = st.fixed_dictionaries(
    {},
    optional={
        "reference": st.sampled_from((*ACTORS, "DocumentReference/d1", "Group/g", RELATIVE, "#x")),
        "identifier": st.fixed_dictionaries(
            {}, optional={"system": st.just(G15), "value": st.sampled_from(("10", "x"))}
        ),
        "display": st.just("somebody"),
    },
)
spans = st.fixed_dictionaries({}, optional={"start": st.sampled_from(("2020", "2030-01-01")), "end": st.just("2031")})


def provisions(nested, *, wild):
    """Draw a provision of R4's shape: of words that are known here, or of any."""
    known = st.sampled_from([actor(reference) for reference in (*ACTORS, RELATIVE)] + [profession("10")])
    anybody = st.builds(lambda reference: actor("x") | {"reference": reference}, wild_references)
    named = st.just({"meaning": "instance", "reference": {"reference": "DocumentReference/d1"}})
    anything = st.fixed_dictionaries(
        {"meaning": st.sampled_from(("instance", "related", "authoredby")), "reference": wild_references}
    )
    type_ = {"type": st.sampled_from(("permit", "deny"))}
    stated = {
        "period": spans,
        "dataPeriod": spans.filter(bool),
        "actor": st.lists(anybody if wild else known, min_size=1, max_size=2),
        "purpose": st.lists(WILD if wild else st.sampled_from(purposes("TREAT", "BTG")), min_size=1, max_size=2),
        "securityLabel": st.lists(
            WILD if wild else st.sampled_from([label("N"), label("PSY")]), min_size=1, max_size=2
        ),
        "data": st.lists(anything if wild else named, min_size=1, max_size=2),
        "code": st.just([{"coding": [{"code": "34112-3"}]}]),
        "class": st.lists(WILD if wild else st.sampled_from([class_("10"), class_("42")]), min_size=1, max_size=2),
    }
    if nested is not None:
        stated["provision"] = st.lists(nested, min_size=1, max_size=2)
    return st.fixed_dictionaries({} if wild else type_, optional=(type_ if wild else {}) | stated)


tame = provisions(provisions(None, wild=False), wild=False)
untamed = provisions(provisions(provisions(None, wild=True), wild=True), wild=True)


@settings(max_examples=400)
@given(st.one_of(tame, tame, untamed), maybe(WILD))
def test_no_consent_is_met_by_anything_but_directives_or_a_problem(provision, rule):
    made = consent() | {"provision": provision}
    if rule is not None:
        made["policyRule"] = {"coding": [rule]}
    try:
        said = directives_of(made, "c1")
    except Problem:
        return
    assert all(directive.id == "c1" for directive in said)
    assert access_of("camille", *said).compartment == "camille"
    for element, reflected in (
        ("data", [d.documents for d in said]),
        ("dataPeriod", [d.data_start or d.data_end for d in said]),
        ("securityLabel", [d.labels for d in said]),
        ("code", [d.kinds for d in said]),
        ("class", [d.categories for d in said]),
        ("actor", [d.actors for d in said]),
    ):
        stated = element in provision or any(element in nested for nested in provision.get("provision", []))
        also = element == "actor" and any(d.excluded or d.professions for d in said)
        assert not stated or also or any(reflected), "nothing is ignored in silence"


def test_the_builders_speak_of_real_codes():
    assert profession("10")["reference"]["identifier"]["system"] == G15
    assert label("PSY")["system"] == ACT_CODE
    assert purposes("TREAT")[0]["system"] == ACT_REASON
