"""Audit events of one kind, by one caller, share their common tokens, so that a store hashes these once a space."""

from dataclasses import replace
from datetime import UTC, datetime

from fhir_server.adapters.hashing import Hashes
from fhir_server.domain.audit.audit_event import Stamp, trace_of
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Origin
from fhir_server.domain.search.criteria import AnyOf
from fhir_server.domain.values import Interaction
from fhir_server.oauth.resource.bearer import caller_of

HASHES = Hashes(b"k" * 32)
AT = datetime(2026, 7, 2, tzinfo=UTC)


def read_of(world, target, address="127.0.0.1"):
    caller = caller_of(world.runtime, f"Bearer {world.tokens['camille']}", Origin(address))
    audited = AuditedInteraction(Interaction.READ, "DocumentReference", target=target)
    return trace_of(audited, Outcome(), caller, world.ids["camille"], Stamp("id", AT, "here", AT)).facts


def test_two_reads_share_the_tokens_that_are_not_about_the_document(world):
    one, other = read_of(world, "DocumentReference/x"), read_of(world, "DocumentReference/y")
    assert one.common is other.common
    assert len(one.common) > 4 * len(one.tokens)
    assert one.tokens - other.tokens == {"entity|ref|DocumentReference/x", "entity|ref|*/x"}
    assert read_of(world, "DocumentReference/x", "10.0.0.1").common != one.common


def test_a_store_keeps_common_tokens_as_it_keeps_others(world):
    facts = read_of(world, "DocumentReference/x")
    together = replace(facts, tokens=facts.tokens | facts.common, common=frozenset())
    assert sorted(HASHES.of(facts)) == sorted(HASHES.of(together))
    assert AnyOf(frozenset({"action|*|R"})).matches(facts)
