"""Readers of events are told of each audited event once, after it is durable."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core import audit_log
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import StoreUnavailable
from tests.factories import a_caller

APPLICATION = Path(__file__).parents[2] / "fhir_server"
SOMEBODY = a_caller(Requester(RequesterKind.PATIENT, "Patient/p"))
LOOK = AuditedInteraction(Interaction.OPERATION, "Patient", operation="space-status")


@pytest.fixture
def told(world):
    """Return a runtime, and the list of what its reader is told."""
    heard = []
    return replace(world.runtime, event_readers=(lambda kind, outcome, _basis: heard.append((kind, outcome)),)), heard


def test_a_reader_is_told_the_kind_and_the_outcome(told):
    runtime, heard = told
    audit_log.record(runtime, SOMEBODY, LOOK, Outcome(OutcomeCode.REFUSED, "forbidden"), None)
    assert heard == [(EventKind.SPACE_STATUS_READ, OutcomeCode.REFUSED)]


def test_a_reader_is_not_told_of_an_event_that_was_not_stored(told, monkeypatch):
    runtime, heard = told

    def fail(_change):
        raise StoreUnavailable

    monkeypatch.setattr(runtime.ports.store, "commit", fail)
    with pytest.raises(StoreUnavailable):
        audit_log.record(runtime, SOMEBODY, LOOK, Outcome(), None)
    assert heard == []


def test_nothing_commits_past_the_readers():
    calls = [
        f"{path.relative_to(APPLICATION)}:{node.lineno}"
        for folder in ("application", "oauth", "http", "cli")
        for path in sorted((APPLICATION / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("commit", "commit_many", "erase")
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "store"
    ]
    allowed = ("application/core/audit_log.py", "application/spaces/lifecycle.py")
    assert [call for call in calls if not call.startswith(allowed)] == []


def test_every_kind_has_a_row():
    assert set(ROWS) == set(EventKind)
