"""Laws of the defaults that are Consents (PPQ-3): they decide nothing, they are true, none is contradicted."""

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_rules.consents.visibility_marks import hides_by_default
from consent_rules.model import Directive, Permit
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Purpose
from fhir_server.domain import record_codec
from fhir_server.domain.consents.defaults import SET_ASIDE, born, contradicting, default_in, settled
from fhir_server.domain.consents.directives import directives_of, speaks
from tests.holds import holds
from tests.laws.worlds import everything, judge, profiles, records, requests, times
from tests.rules.builders import CAMILLE, MARTIN, NOW, ask, directive, document, opening, sees, space
from tests.world import JSON_PATCH, World

K = DirectiveKind
MODES = (Purpose.BREAK_GLASS, Purpose.EMERGENCY)
EMERGENCIES, DOCUMENTS = dict(born(CAMILLE, ("e", "d"), NOW)).values()

choices = st.builds(
    Directive,
    id=st.integers(0, 10**9).map(lambda number: f"c{number}"),
    kind=st.sampled_from((K.BLOCK, K.BLOCK, K.HIDDEN_IN_EMERGENCY, K.HIDDEN_BY_DEFAULT, K.ASK_FIRST, K.AGREEMENT)),
    actors=st.sampled_from((frozenset[str](), frozenset[str](), frozenset({"Practitioner/zoe"}))),
    purposes=st.frozensets(st.sampled_from((Purpose.TREATMENT, *MODES))),
    start=times,
    end=times,
    recorded_at=st.just(NOW),
    by_patient=st.just(True),  # noqa: FBT003 - a strategy of one value
)
"""What PCF can say of a whole space, to all or to one whom nobody here is."""


class TestADefaultDecidesNothing:
    """With the defaults of a space and without them every decision is the same, and the state has the same bytes."""

    @given(records, requests, profiles)
    def test_every_answer_is_the_same(self, record, request, rules):
        with_defaults = record
        for id_, consent in born(record.patient, ("e", "d"), NOW):
            with_defaults = with_defaults.with_directive(*directives_of(consent, id_))
        without, with_them = judge(request, record, rules), judge(request, with_defaults, rules)
        assert with_them == without
        assert everything(with_them) == everything(without)
        assert record_codec.dump(with_defaults) == record_codec.dump(record)


class TestADefaultInForceIsTrue:
    """What a default says holds for everybody just as long as no choice speaks against it (E12, G4, G5)."""

    @given(st.lists(choices, max_size=4, unique_by=lambda one: one.id))
    def test_of_emergencies(self, said):
        in_force = [one for one in said if one.holds_at(NOW)]
        assert self._open_and_narrow(said) == (not contradicting(EMERGENCIES, in_force, NOW))
        assert contradicting(EMERGENCIES, in_force, NOW) <= contradicting(EMERGENCIES, said, NOW)

    @holds("E17")
    @given(st.lists(choices, max_size=4, unique_by=lambda one: one.id))
    def test_of_new_documents(self, said):
        in_force = [one for one in said if one.holds_at(NOW)]
        born_visible = not hides_by_default(space(*said), NOW)
        assert born_visible == (not contradicting(DOCUMENTS, in_force, NOW))

    def _open_and_narrow(self, said):
        """Tell whether both modes can be entered by a physician whom no choice names, and show nothing hidden."""
        for mode in MODES:
            record = space(*said, opening(MARTIN, mode, id_="o"))
            answer = ask(MARTIN, record, purpose=mode)
            may_open = isinstance(ask(MARTIN, space(*said), Action.OPEN_EMERGENCY, mode), Permit)
            if not (may_open and isinstance(answer, Permit)) or sees(answer, document(marks=Mark.MASQUE_PS)):
                return False
        return True


class TestSettling:
    """Settling twice is settling once; nothing is in force that is contradicted, nothing set aside without a reason."""

    @given(
        st.sampled_from((EMERGENCIES, DOCUMENTS)),
        st.sampled_from(("active", "inactive", SET_ASIDE)),
        st.lists(choices, max_size=4, unique_by=lambda one: one.id),
    )
    def test_a_default_stands_or_is_set_aside(self, consent, status, said):
        once = settled(consent | {"status": status}, said, NOW)
        assert settled(once, said, NOW) is once
        against = contradicting(once, said, NOW)
        assert (once["status"] == "inactive") is (status == "inactive")
        assert once["status"] == "inactive" or (once["status"] == SET_ASIDE) is bool(against)

    def test_a_choice_about_one_professional_is_none_about_all(self):
        named = directive(K.BLOCK, "Practitioner/paul")
        assert settled(EMERGENCIES, [named], NOW) is EMERGENCIES


def _of_template(consent, level, status):
    rule = {"coding": [consent["policyRule"]["coding"][0] | {"code": f"urn:e-health-suisse:2015:policies:{level}"}]}
    return consent | {"status": status, "policyRule": rule}


STEPS = st.tuples(
    st.sampled_from(("BTG", "ETREAT", "TREAT", "hidden-in-emergency", "hidden-by-default", "undo", "202", "203")),
    st.integers(0, 5),
)
LEVELS = {"202": "access-level", "203": "provide-level"}
numbers = count(100)


class TestNoTwoConsentsContradictEachOther:
    """Whatever a holder chooses, in whatever order and form: the Consents that stand say one thing, as decided."""

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(STEPS, max_size=9))
    def test_over_http(self, world: World, steps):
        name = f"p{next(numbers)}"
        world.patient(name, f"1840399999{next(numbers):05}")
        made: list[str] = []
        for what, number in steps:
            answer = self._do(world, name, what, number, made)
            assert answer.status_code in (200, 201, 409, 422), answer.get_data(as_text=True)
            if answer.status_code == 201:
                made.append(answer.get_json()["id"])
            self._hold(world, name)

    def _do(self, world, name, what, number, made):
        if what == "undo" and made:
            status = [{"op": "replace", "path": "/status", "value": ("inactive", "active")[number % 2]}]
            return world.send(name, "PATCH", f"/Consent/{made[number % len(made)]}", status, JSON_PATCH)
        if what in LEVELS:
            found = next((c for c in self._consents(world, name) if default_in(c) == what), None)
            level, status = ("normal", "restricted")[number % 2], ("active", "inactive", "active")[number % 3]
            changed = _of_template(found, f"{LEVELS[what]}:{level}", status)
            return world.send(name, "PUT", f"/Consent/{found['id']}", changed)
        patient = {"reference": f"Patient/{world.ids[name]}"}
        consent = world.consent("martin") | {"patient": patient, "performer": [patient]}
        if what.startswith("hidden"):
            rule = {"coding": [{"system": "urn:habilis:directive", "code": what}]}
            return world.send(name, "POST", "/Consent", consent | {"policyRule": rule, "provision": {"type": "permit"}})
        mode = what if what in ("BTG", "ETREAT", "TREAT") else "TREAT"
        code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": mode}
        return world.send(name, "POST", "/Consent", consent | {"provision": {"type": "deny", "purpose": [code]}})

    def _consents(self, world, name):
        found = world.get(name, f"/Consent?patient={world.ids[name]}&_count=100").get_json()["entry"]
        return [entry["resource"] for entry in found]

    def _hold(self, world, name):
        """Hold the Consents that stand against each other, and against the state that decides."""
        consents, at = self._consents(world, name), world.runtime.ports.clock.now()
        said = {c["id"]: directives_of(c, c["id"]) for c in consents if speaks(c) and c["status"] != SET_ASIDE}
        for consent in consents:
            others = [one for id_, directives in said.items() if id_ != consent["id"] for one in directives]
            if default_in(consent):
                assert settled(consent, others, at) is consent
        assert sorted(filter(None, map(default_in, consents))) == ["202", "203"]
        with world.runtime.ports.store.snapshot() as snapshot:
            record = record_codec.load(snapshot.load_space(world.ids[name]).state)
        decided = {(one.id, one.kind, one.purposes) for one in record.directives if one.kind is not K.BLOCK_LIFTED}
        assert decided == {(one.id, one.kind, one.purposes) for directives in said.values() for one in directives}
