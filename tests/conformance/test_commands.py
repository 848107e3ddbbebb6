"""The commands of the server: the page that lists them, their events, and the wall between edges and what plans."""

import pytest

from fhir_server.domain.events.kinds import EventKind
from tests.conformance.commands import FOR_THE_SEED, PAGE, PURE, definitions, page, reached_by
from tests.conformance.project import ROOT

NAMED = {name: one for name, one in definitions(ROOT).items() if one.marks}
COMMANDS = {name: one for name, one in NAMED.items() if "command" in one.marks}
WITHOUT_EVENT = {
    "core.audit_log.record_out_of_time": "tells the event of what ran out of time",
    "core.audit_log.record_refusal": "tells the event of what was refused",
    "identity.credentials.acknowledge": "only removes a notice from a page",
    "identity.grant_replacement.settle_all": "once in the life of a store, for an earlier version",
}
"""Commands without an event of their own, each with its reason."""


def test_every_function_that_an_edge_may_call_unmarked_is_there():
    allowed = {f"fhir_server.application.{name}" for name in PURE | FOR_THE_SEED}
    assert sorted(allowed - definitions(ROOT).keys()) == []


def test_the_page_of_commands_says_what_the_code_says():
    assert PAGE.read_text(encoding="utf-8") == page(ROOT), "run python -m tests.conformance.commands"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_says_what_it_does_and_which_event_it_causes(name):
    command, short = COMMANDS[name], name.removeprefix("fhir_server.application.")
    assert command.purpose
    assert bool(command.causes) is not (short in WITHOUT_EVENT)
    assert set(command.causes) <= set(EventKind.__members__)


def test_every_command_is_reached_from_an_edge():
    assert sorted(name for name, edges in reached_by(ROOT).items() if not edges) == []


def test_a_function_has_one_mark():
    assert sorted(name for name, one in NAMED.items() if len(one.marks) != 1) == []
