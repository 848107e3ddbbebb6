"""Opening a space in an emergency: one act with a reason, then ordinary reads (G1 to G8)."""

import pytest

from consent_rules.model import Directive, RecordState, Requester
from consent_rules.vocabulary import Action, DirectiveKind, Purpose, RequesterKind, SpaceStatus
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.enforcement_point import judge
from fhir_server.application.spaces.break_glass import open_as_granted
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Search
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Change, SpaceWrite
from tests.factories import a_caller

PATIENT = "11111111-1111-4111-8111-111111111111"
AWA = Requester(
    RequesterKind.PROFESSIONAL, "Practitioner/awa", "PractitionerRole/awa", "Organization/chu", "Device/ehr", "10"
)
CALLER = a_caller(AWA, "patient/*.rs", launch_patient=PATIENT, purpose=Purpose.BREAK_GLASS)
READ = AuditedInteraction(Interaction.READ, "Patient", target=f"Patient/{PATIENT}")
SWITCH = Directive("off", DirectiveKind.BLOCK, purposes=frozenset({Purpose.BREAK_GLASS}))


@pytest.fixture
def opened_space(runtime):
    def make(*directives):
        state = record_codec.dump(RecordState(PATIENT, SpaceStatus.ACTIVE, directives=directives))
        runtime.ports.store.commit(Change(traces=(), spaces=(SpaceWrite(PATIENT, 0, state),)))
        return runtime

    return make


def entry(runtime):
    with runtime.ports.store.snapshot() as snapshot:
        return judge(Access(runtime, CALLER, READ, snapshot), PATIENT, Action.CONSULT)


def refused(runtime, reason="unconscious"):
    with pytest.raises(Problem) as caught:
        open_as_granted(runtime, CALLER, PATIENT, reason)
    return caught.value.category


def test_after_the_opening_the_professional_reads_for_a_day(opened_space, clock):
    runtime = opened_space()
    assert entry(runtime).reason == "emergency-not-open"
    id_ = open_as_granted(runtime, CALLER, PATIENT, "unconscious, found at home")
    answer = entry(runtime)
    assert (answer.permit.basis, answer.permit.rules[0].consents) == ("break-glass", (id_,))
    clock.advance(hours=24)
    assert entry(runtime).reason == "emergency-not-open"


def test_the_opening_is_a_consent_that_names_who_and_why(opened_space):
    runtime = opened_space()
    id_ = open_as_granted(runtime, CALLER, PATIENT, "unconscious, found at home")
    with runtime.ports.store.snapshot() as snapshot:
        answer = judge(Access(runtime, CALLER, READ, snapshot), PATIENT, Action.CONSULT)
        assert isinstance(answer, Opened)
        stored = snapshot.read("Consent", id_, answer)
    assert stored is not None
    assert b"unconscious, found at home" in stored.body
    assert b"Practitioner/awa" in stored.body
    assert stored.facts.access.kind == "emergency-opening"


def test_the_opening_leaves_a_trace_in_the_same_commit(opened_space):
    runtime = opened_space()
    open_as_granted(runtime, CALLER, PATIENT, "unconscious")
    holder = a_caller(Requester(RequesterKind.PATIENT, f"Patient/{PATIENT}"), purpose=Purpose.PATIENT_REQUEST)
    with runtime.ports.store.snapshot() as snapshot:
        answer = judge(Access(runtime, holder, READ, snapshot), PATIENT, Action.READ_TRACES)
        page = snapshot.find(Search("AuditEvent"), answer)
    assert len(page.rows) == 1
    assert b"break-glass" in page.rows[0].body


def test_a_mode_that_is_switched_off_is_refused_like_a_space_that_does_not_exist(opened_space, runtime):
    assert refused(runtime) is Category.CONSENT_REQUIRED
    assert refused(opened_space(SWITCH)) is Category.CONSENT_REQUIRED
    assert entry(runtime).reason == "emergency-off"


def test_without_a_reason_nothing_is_opened(opened_space):
    runtime = opened_space()
    assert refused(runtime, "  ") is Category.BUSINESS_RULE
    assert entry(runtime).reason == "emergency-not-open"
