"""Events as a reader is told them are true in what they claim."""

from datetime import UTC, datetime

import orjson
import pytest

from fhir_server.application.core.access import NOTHING_SEEN
from fhir_server.application.reading import event_redaction
from fhir_server.domain.audit.audit_event import Stamp, trace_of
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Origin
from fhir_server.domain.values import Interaction
from fhir_server.oauth.resource.bearer import caller_of
from tests.world import World

READ = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"


@pytest.mark.parametrize(
    ("touched", "claimed"),
    [
        (("Binary/x", "DocumentReference/x"), []),
        (("Practitioner/x", "DocumentReference/x"), [READ]),
    ],
)
def test_an_event_that_is_told_without_what_it_was_about_claims_no_profile(world: World, touched, claimed):
    at, patient = datetime(2026, 7, 2, tzinfo=UTC), world.ids["camille"]
    caller = caller_of(world.runtime, f"Bearer {world.tokens['camille']}", Origin("127.0.0.1"))
    event = trace_of(
        AuditedInteraction(Interaction.READ, "X"),
        Outcome(touched=touched),
        caller,
        patient,
        Stamp("id", at, "here", at),
    )
    with world.runtime.ports.store.snapshot() as snapshot:
        (body,) = event_redaction.without_unseen(snapshot, [event], NOTHING_SEEN)
    assert b"DocumentReference/x" not in body
    assert orjson.loads(body)["meta"].get("profile", []) == claimed
