"""The invariants of the policy, proved by Z3 over the oracle's tables for every state at once (I01 to I30).

The tables say what `enter` does: `test_oracle.py` compares the two on every state. Each proof asks the solver for a
counter-example and expects none; a last class plants faults in the tables and expects one.
"""

from functools import cache

import pytest
import z3

from tests.laws import oracle
from tests.laws.oracle import CARE, GROUNDS, OTHERS, PROFESSIONALS, REFUSALS, SEEN

DOMAINS = {
    "actor": PROFESSIONALS + OTHERS,
    "purpose": ("care", "break-glass", "regulation", "audit"),
    "profile": ("fr", "ehds", "open"),
    "age": ("adult", "teen", "child"),
    "kind": ("row", "history", "outside"),
    "owner": ("nobody", "person", "establishment"),
}
FIELDS = (*oracle.State._fields, *oracle.Document._fields)
BASES = tuple(dict.fromkeys(basis for basis, _ in GROUNDS))


class World:
    """One symbolic state and document under a policy."""

    def __init__(self, name, refusals=REFUSALS, grounds=GROUNDS, seen=SEEN):
        self.facts = {
            field: z3.Int(f"{name}.{field}") if field in DOMAINS else z3.Bool(f"{name}.{field}") for field in FIELDS
        }
        self.refusals, self.grounds, self.seen = refusals, grounds, seen

    def limits(self):
        return [z3.And(self.facts[f] >= 0, self.facts[f] < len(values)) for f, values in DOMAINS.items()]

    def has(self, **conditions):
        """Return that each fact has one of the allowed values."""
        return z3.And(*(z3.Or(*(self._is(field, v) for v in _many(allowed))) for field, allowed in conditions.items()))

    def _is(self, field, value):
        fact = self.facts[field]
        return fact == DOMAINS[field].index(value) if field in DOMAINS else (fact if value else z3.Not(fact))

    def refused(self):
        return z3.Or(*(self.has(**conditions) for _, conditions in self.refusals))

    def enters(self, *bases):
        """Return that the state enters on one of these grounds, the first that carries."""
        chances, earlier = [], []
        for basis, conditions in self.grounds:
            carries = self.has(**conditions)
            if basis in (bases or BASES):
                chances.append(z3.And(carries, z3.Not(z3.Or(*earlier)) if earlier else True))
            earlier.append(carries)
        return z3.And(z3.Not(self.refused()), z3.Or(*chances))

    def sees(self):
        """Return that the document is shown."""
        ways = (
            z3.And(self.enters(*bases), self.has(**document), self.has(**state)) for bases, document, state in self.seen
        )
        return z3.Or(*ways)


def _many(allowed):
    return allowed if isinstance(allowed, tuple) else (allowed,)


def counter_example(*claims, worlds):
    solver = z3.Solver()
    for world in worlds:
        solver.add(*world.limits())
    solver.add(*claims)
    return solver.model() if solver.check() == z3.sat else None


def impossible(*claims, worlds):
    assert counter_example(*claims, worlds=worlds) is None


def possible(*claims, worlds):
    assert counter_example(*claims, worlds=worlds) is not None


@cache
def world():
    return World("w")


NEVER = {
    "I01 an insurer never sees": {"actor": "insurer"},
    "I01 an auditor sees no document": {"actor": "auditor"},
    "I02 unregistered software never sees": {"actor": "unregistered"},
    "I06 a closed space shows nobody": {"open": False},
    "I08 a professional sees for care only": {"actor": PROFESSIONALS, "purpose": "audit"},
    "I09 a sealed document is not shown to the patient": {"actor": "holder", "sealed": True},
    "I10 nor to representatives and carers": {"actor": ("parent", "carer"), "sealed": True},
    "I11 a secret is not shown to representatives or carers": {"actor": ("parent", "carer"), "secret": True},
    "I12 a parent of an adult never sees": {"actor": "parent", "age": "adult"},
    "I14 whoever is blocked never reads": {"actor": (*PROFESSIONALS, "software"), "blocked": True},
    "I17 and I18 a mode that is off is worthless": {
        "actor": PROFESSIONALS,
        "purpose": ("break-glass", "regulation"),
        "mode_off": True,
    },
    "another holder never sees": {"actor": "stranger"},
    "a function is no profession": {"actor": "function"},
    "an unnamed professional never sees": {"actor": "unnamed"},
    "occupational physicians and social roles are off under the strict profiles": {
        "actor": ("occupational", "social"),
        "profile": oracle.STRICT,
    },
    "regulation is for physicians": {"actor": "physiotherapist", "purpose": "regulation"},
}


@pytest.mark.parametrize("facts", NEVER.values(), ids=NEVER.keys())
def test_never(facts):
    w = world()
    impossible(w.has(**facts), w.sees(), worlds=[w])


def test_i13_hidden_among_professionals_only_to_depositor_and_the_named_exceptions():
    w = world()
    excepted = z3.Or(
        z3.And(w.enters("declared-physician", "administrator"), w.has(profile=("fr", "open"))),
        z3.And(w.enters("break-glass", "emergency-regulation"), w.has(widened=True)),
        w.has(owner=("person", "establishment")),
    )
    impossible(w.has(actor=PROFESSIONALS, hidden=True), w.sees(), z3.Not(excepted), worlds=[w])


def test_i13_under_the_european_profile_hidden_is_hidden_outside_emergencies():
    w = world()
    facts = w.has(actor=PROFESSIONALS, purpose="care", profile="ehds", hidden=True, owner="nobody")
    impossible(facts, w.sees(), worlds=[w])


def test_i15_a_professional_without_a_ground_never_sees():
    w = world()
    nothing = w.has(declared=False, administrator=False, team=False, named=False, opened=False)
    impossible(w.has(actor=PROFESSIONALS), nothing, w.sees(), worlds=[w])


def test_i16_the_matrix_holds_against_every_ground_but_the_declaration():
    w = world()
    outside = w.has(actor=PROFESSIONALS, kind="outside", owner=("nobody", "establishment"))
    impossible(outside, w.sees(), z3.Not(w.enters("declared-physician")), worlds=[w])


RESTRICTIONS = (
    "blocked",
    "mode_off",
    "asks_first",
    "history_hidden",
    "hidden",
    "sealed",
    "secret",
    "not_social",
    "not_third",
)
TITLES = ("declared", "administrator", "team", "named", "opened", "widened", "by_patient", "open")


def pair(changed, more):
    """Return two worlds that differ in one fact: `more` in the second, not `more` in the first."""
    a, b = World("a"), World("b")
    same = [a.facts[f] == b.facts[f] for f in FIELDS if f != changed]
    return a, b, [*same, a.has(**{changed: not more}), b.has(**{changed: more})]


@pytest.mark.parametrize("fact", RESTRICTIONS)
def test_i19_a_restriction_never_grants(fact):
    a, b, apart = pair(fact, more=True)
    impossible(*apart, b.sees(), z3.Not(a.sees()), worlds=[a, b])


@pytest.mark.parametrize("fact", TITLES)
def test_i20_losing_a_title_never_grants(fact):
    a, b, apart = pair(fact, more=False)
    impossible(*apart, b.sees(), z3.Not(a.sees()), worlds=[a, b])


def test_i21_the_patient_always_sees_the_own_open_record_but_what_is_sealed():
    w = world()
    facts = w.has(actor="holder", age=("adult", "teen"), open=True, sealed=False)
    impossible(facts, z3.Not(w.sees()), worlds=[w])


@pytest.mark.parametrize("actor", ["holder", "parent", "carer"])
def test_i22_and_i23_what_is_said_of_professionals_changes_nothing_for(actor):
    others = {*RESTRICTIONS[:4], *TITLES[:7], "purpose", "profile"}
    a, b = World("a"), World("b")
    same = [a.facts[f] == b.facts[f] for f in FIELDS if f not in others]
    impossible(*same, a.has(actor=actor), a.sees(), z3.Not(b.sees()), worlds=[a, b])


@pytest.mark.parametrize("mark", ["sealed", "secret", "not_third"])
def test_i24_labels_aimed_at_others_blind_no_professional(mark):
    a, b, apart = pair(mark, more=True)
    impossible(*apart, a.has(actor=PROFESSIONALS), a.sees(), z3.Not(b.sees()), worlds=[a, b])


GROUNDS_WORK = {
    "I25 the declared physician sees everything": (
        {"actor": "physician", "purpose": "care", "open": True, "blocked": False, "declared": True},
        {"profile": "fr"},
    ),
    "I26 whoever enters sees the own document": (
        {"actor": ("physician", "physiotherapist"), "purpose": "care", "open": True, "blocked": False, "team": True},
        {"asks_first": False, "owner": "person"},
    ),
    "I27 an agreement works within the matrix": (
        {"actor": "physiotherapist", "purpose": "care", "open": True, "blocked": False, "named": True},
        {"asks_first": False, "kind": "row", "hidden": False},
    ),
    "I28 break-glass works when nothing forbids it": (
        {"actor": "physiotherapist", "purpose": "break-glass", "open": True, "blocked": False, "opened": True},
        {"mode_off": False, "kind": "row", "hidden": False},
    ),
    "I29 the regulator is served when nothing forbids it": (
        {"actor": "physician", "purpose": "regulation", "open": True, "blocked": False, "opened": True},
        {"mode_off": False, "kind": "row", "hidden": False},
    ),
    "I30 a representative sees a minor's open record": (
        {"actor": "parent", "age": ("child", "teen"), "open": True},
        {"sealed": False, "secret": False},
    ),
}


@pytest.mark.parametrize(("facts", "more"), GROUNDS_WORK.values(), ids=GROUNDS_WORK.keys())
def test_what_is_granted_is_served(facts, more):
    w = world()
    impossible(w.has(**facts), w.has(**more), z3.Not(w.sees()), worlds=[w])


def test_the_proofs_are_not_empty():
    w = world()
    for basis in BASES:
        possible(w.enters(basis), w.sees(), worlds=[w])
    for _, conditions in REFUSALS:
        possible(w.has(**conditions), worlds=[w])


class TestAPlantedFaultIsFound:
    """The invariants pin the policy: a rule that is left out breaks one of them."""

    @pytest.mark.parametrize("left_out", range(len(REFUSALS)), ids=[f"{n}-{r}" for n, (r, _) in enumerate(REFUSALS)])
    def test_a_refusal_left_out(self, left_out):
        refusals = REFUSALS[:left_out] + REFUSALS[left_out + 1 :]
        permissive = (*GROUNDS, ("consent", CARE | {"purpose": DOMAINS["purpose"], "actor": DOMAINS["actor"]}))
        seen = (*SEEN, (BASES, {}, {}))
        before, after = World("w", REFUSALS, permissive, seen), World("w", refusals, permissive, seen)
        possible(after.sees(), z3.Not(before.sees()), worlds=[after])

    @pytest.mark.parametrize("left_out", range(len(GROUNDS)), ids=[f"{n}-{b}" for n, (b, _) in enumerate(GROUNDS)])
    def test_a_ground_left_out(self, left_out):
        w, fewer = world(), World("w", grounds=GROUNDS[:left_out] + GROUNDS[left_out + 1 :])
        possible(w.enters(), z3.Not(fewer.enters()), worlds=[w])

    def test_a_seal_that_does_not_bind_parents(self):
        seen = tuple(
            (bases, {} if bases == ("legal-representative",) else document, state) for bases, document, state in SEEN
        )
        w = World("w", seen=seen)
        possible(w.has(actor="parent", sealed=True), w.sees(), worlds=[w])

    def test_a_hidden_document_shown_to_the_team(self):
        w = World("w", seen=(*SEEN, (("care-team",), {"kind": ("row",)}, {})))
        possible(w.has(hidden=True, owner="nobody"), w.enters("care-team"), w.sees(), worlds=[w])
