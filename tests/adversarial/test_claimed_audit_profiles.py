"""Every AuditEvent keeps the profile that it claims: each kind with each sort of actor, and what a random day leaves.

Sources: IHE BALP 1.1 (https://profiles.ihe.net/ITI/BALP/), IHE MHD 4.2 (https://profiles.ihe.net/ITI/MHD/).
"""

import random
from collections import Counter
from itertools import islice

import orjson
import pytest

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.audit.audit_event import Stamp, trace_of
from fhir_server.domain.audit.interactions import Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.search.criteria import Search
from tests.adversarial.two_worlds import KINDS, deeds_of, sides
from tests.audit_profiles import demand_profiles, faults
from tests.domain.played_events import AT, CAMILLE, every_event
from tests.factories import a_caller, all_of
from tests.http.test_audit_profiles import live_a_day
from tests.http.test_reviews import break_glass, of_people, review, staff

DEEDS = 120
READERS = {
    "camille": "patient={camille}",
    "ines": "patient={ines}",
    "marc": "patient={ines}",
    "martin": "patient={camille}",
    "dana": "date=ge2026-03-01&date=lt2026-03-20",
}
_DOCTOR = Requester(RequesterKind.PROFESSIONAL, "Practitioner/nour", organization="Organization/chu", profession="10")
CALLERS = {
    "patient": CAMILLE,
    "professional": a_caller(_DOCTOR, client_id="desk", client_name="Poste", display="Nour"),
    "software": a_caller(Requester(RequesterKind.SYSTEM, client="Device/ehr", organization="Organization/chu")),
    "server": Caller.of_server(),
}


def wrong(events):
    """Return what the claimed profiles forbid, each fault once with how often it was found."""
    claims = ((claim, event) for event in events for claim in event["meta"].get("profile", ()))
    return Counter(f"{claim.rpartition('/')[2]}: {fault}" for claim, event in claims for fault in faults(event, claim))


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("outcome", OutcomeCode)
def test_each_kind_keeps_what_it_claims(who, outcome):
    demand_profiles()
    found = []
    for played in every_event(outcome):
        touched = tuple(
            ref for ref in (f"{played.audited.resource_type}/x", "Consent/y", "DocumentReference/z") if ref[0] != "/"
        )
        for patient in ("camille", None):
            ended = Outcome(outcome, touched=touched)
            stored = trace_of(
                played.audited, ended, CALLERS[who], patient, Stamp("id", AT, "https://h.example/fhir", AT)
            )
            found.append(orjson.loads(stored.body))
    assert wrong(found) == {}
    assert any("profile" in event["meta"] for event in found) is (outcome is OutcomeCode.DONE)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A world after a day of everybody, officers and refusals included."""
    kind = KINDS[0]
    with sides(tmp_path_factory.mktemp("lived"), kind) as (_, side):
        side.here()
        of_people(side)
        staff(side, "dana")
        live_a_day(side)
        assert review(side, break_glass(side)).status_code == 200
        side.get("dana", "/AuditEvent/$case-queue")
        for name, deed in islice(deeds_of(kind, random.Random(4)), DEEDS):
            assert name
            deed(side)
        yield side


def stored(side):
    with side.runtime.ports.store.snapshot() as snapshot:
        for patient in ("", *snapshot.patients("", 1000)):
            search = Search("AuditEvent", limit=5000)
            yield from (orjson.loads(row.body) for row in snapshot.find(search, all_of(patient)).rows)


def test_each_event_of_a_day_keeps_what_it_claims(lived):
    demand_profiles()
    events = [*stored(lived)]
    assert len(events) > 150
    assert len({claim for event in events for claim in event["meta"].get("profile", ())}) >= 9
    assert wrong(events) == {}


@pytest.mark.parametrize("who", READERS)
def test_each_event_as_somebody_reads_it_keeps_what_it_claims(lived, who):
    demand_profiles()
    lived.here()
    body = lived.get(who, f"/AuditEvent?{READERS[who].format(**lived.ids)}&_count=200").get_json()
    events = [entry["resource"] for entry in body["entry"]]
    assert events
    assert wrong(events) == {}
