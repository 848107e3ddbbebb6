"""What one request may see: a filter for each type, from the permit and within the scopes of the token."""

import pytest

from consent_rules.model import Permit, RecordState, Requester
from consent_rules.visibility import DIRECTORY, NOTHING, Clause, Extent
from consent_rules.vocabulary import Basis, RequesterKind, SpaceStatus, View
from fhir_server.application.core.access import IN_DIRECTORY, Opened
from fhir_server.domain.review_files import TYPE
from fhir_server.ports.store import Space
from fhir_server.registry import REGISTRY
from tests.factories import a_caller

PATIENT = "11111111-1111-4111-8111-111111111111"
OWN, FILED = Clause(kinds=frozenset({"34112-3"})), Clause(owned_by=frozenset({"Practitioner/nour"}))
NOUR = Requester(RequesterKind.PROFESSIONAL, "Practitioner/nour", client="Device/ehr", profession="10")


def opened(views, *withheld):
    permit = Permit(PATIENT, Basis.CONSENT, (), views)
    return Opened(permit, RecordState(PATIENT, SpaceStatus.ACTIVE), Space(PATIENT, 1, b""), withheld)


@pytest.mark.parametrize("type_", [*REGISTRY, TYPE, "Immunization"])
def test_a_permit_without_filters_shows_nothing_of_any_type(type_):
    assert opened({}).of(type_).clauses == ()


@pytest.mark.parametrize(("type_", "clauses"), [("DocumentReference", (OWN,)), ("List", (OWN,)), ("Consent", (FILED,))])
def test_each_type_has_the_filter_of_its_part_of_the_space(type_, clauses):
    assert opened({View.DOCUMENTS: (OWN,), View.DIRECTIVES: (FILED,)}).of(type_).clauses == clauses


def test_an_event_is_about_documents_that_the_app_may_see():
    withheld = Extent(kinds=frozenset({"11502-2"}))
    traces = opened({View.TRACES: (FILED,), View.ABOUT: (OWN,)}, withheld).of("AuditEvent")
    assert traces.documents == (OWN._replace(barred=(withheld,)),)


def test_scopes_narrow_each_type_and_a_type_without_a_scope_shows_nothing():
    caller = a_caller(NOUR, "user/DocumentReference.s?category=47 user/List.rs")
    seen = opened({View.DOCUMENTS: (OWN,), View.DIRECTIVES: (FILED,)}).within(caller, "s")
    assert seen.of("DocumentReference").clauses == (OWN._replace(categories=frozenset({"47"})),)
    assert seen.of("List").clauses == (OWN,)
    assert seen.of("Consent") is NOTHING


def test_the_directory_is_open_in_every_space_but_a_space_is_never_part_of_the_directory():
    seen = opened({View.DOCUMENTS: (OWN,)}).within(a_caller(NOUR, "user/DocumentReference.s"), "s")
    assert seen.of("Practitioner") is DIRECTORY
    assert IN_DIRECTORY.of("DocumentReference") is NOTHING


def test_a_filter_is_made_only_when_its_type_is_read():
    permit = opened({View.DOCUMENTS: (OWN,)})
    seen = permit.within(a_caller(NOUR, "user/*.s"), "s")
    assert seen.made == {}
    assert seen.of("List") is seen.of("List")
    assert set(seen.made) == {"List"}
