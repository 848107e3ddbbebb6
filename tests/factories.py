"""Builders of stored values and of servers: say what matters in a test, leave out the rest.

Every person and number is invented.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from consent_rules.matrix.schedule import packaged
from consent_rules.model import Requester
from consent_rules.rule_profile import profile
from consent_rules.visibility import AccessFacts, Clause, Interval, Visibility
from consent_rules.vocabulary import Mark, Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.caller import Caller, Granted
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.stored import Facts, Stored, authored_of
from fhir_server.ports.store import Change, Trace, Write
from fhir_server.ports.surroundings import Ports
from fhir_server.settings.server import Settings

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EVERYTHING = (Clause(),)


def settings_in(folder: Path, base_url: str = "http://localhost:8080", **more: object) -> Settings:
    """Build the settings of a server that keeps everything in one folder; `more` are fields of Settings."""
    given = {"accept_inferred_matrix": True, "log_level": "ERROR", "request_rates": False} | more
    return Settings(base_url=base_url, data_dir=folder / "data", key_file=folder / "keys.json", **given)


def runtime_on(ports: Ports, base_url: str) -> Runtime:
    """Build what the use cases work on, for a server of this address."""
    return Runtime(ports, packaged(), profile("fr"), f"{base_url}/fhir", b"k" * 32)


def a_caller(
    requester: Requester, scopes: str = "", *, token: str = "t", purpose: Purpose = Purpose.TREATMENT, **granted: Any
) -> Caller:
    """Return a caller with a token of a grant to an app. granted: more of what was granted."""
    known = {"id": "g", "client_id": "app", "requester": requester, "purpose": purpose}
    return Caller.of_token(Granted(**known | granted), token, scopes)


def an_id() -> str:
    """Return a fresh id."""
    return str(uuid4())


@dataclass(frozen=True, slots=True)
class Seen(Visibility):
    """Filters that are the same for every type."""

    def of(self, _type: str) -> "Seen":
        """Return the filter of a type."""
        return self


def all_of(patient: str) -> Seen:
    """Return filters that show a whole space, but not its marks; the directory for ""."""
    return Seen(patient, EVERYTHING)


def a_resource(type_: str, access: AccessFacts, *, id_: str = "", at: datetime = AT, **facts: object) -> Stored:
    """Build the first version of a resource; `facts` are fields of Facts."""
    name = id_ or an_id()
    body = orjson.dumps({"resourceType": type_, "id": name, "meta": {"versionId": "1"}})
    judged = replace(access, id=name, authored=authored_of(facts.get("dates") or {}))
    return Stored(
        type_, name, 1, 0, deleted=False, last_updated=at, marked_at=None, body=body, facts=Facts(judged, **facts)
    )


def a_document(patient: str, kind: str = "11488-4", *, id_: str = "", at: datetime = AT, **more: object) -> Stored:
    """Build a DocumentReference; `more` are fields of AccessFacts, or tokens, lookup and dates of Facts."""
    facts = {name: more.pop(name) for name in ("tokens", "lookup", "dates") if name in more}
    return a_resource("DocumentReference", AccessFacts(patient, kind, **more), id_=id_, at=at, **facts)


def a_list(patient: str, documents: Iterable[str] = (), *, owner: str = "", id_: str = "") -> Stored:
    """Build a List that gathers documents."""
    return a_resource("List", AccessFacts(patient, owner_person=owner), id_=id_, documents=tuple(documents))


def an_event(
    patient: str = "", *, at: datetime = AT, tokens: Iterable[str] = (), dates: Mapping[str, Interval] | None = None
) -> Stored:
    """Build an AuditEvent."""
    access = AccessFacts(patient, "access", owner_person="Practitioner/nour")
    return a_resource("AuditEvent", access, at=at, tokens=frozenset(tokens), dates=dates or {})


def a_trace(patient: str = "", **event: object) -> Trace:
    """Build a trace."""
    return Trace(an_event(patient, **event), EventKind.RESOURCE_READ, OutcomeCode.DONE)


def creating(*resources: Stored, claims: Iterable[str] = ()) -> Change:
    """Build the change that creates resources."""
    writes = tuple(Write(resource, (0, 0)) for resource in resources)
    return Change((a_trace(),), writes, claims=tuple(claims))


def next_version(before: Stored, *, at: datetime | None = None, **facts: object) -> Stored:
    """Build the version that follows; `facts` replace fields of Facts."""
    body = orjson.loads(before.body)
    body["meta"]["versionId"] = str(before.version + 1)
    after = replace(before.facts, **facts)
    return replace(
        before,
        version=before.version + 1,
        last_updated=at or before.last_updated,
        body=orjson.dumps(body),
        facts=replace(after, access=replace(after.access, id=before.id, authored=authored_of(after.dates))),
    )


def deleted(before: Stored, *, at: datetime | None = None) -> Stored:
    """Build the version that is a deletion."""
    return replace(before, version=before.version + 1, deleted=True, last_updated=at or before.last_updated, body=b"")


def marked(before: Stored, marks: Mark, *, at: datetime = AT, sealed_until: datetime | None = None) -> Stored:
    """Build what a change of marks leaves: the version stays, the mark revision grows."""
    access = replace(before.facts.access, marks=marks, sealed_until=sealed_until)
    facts = replace(before.facts, access=access)
    return replace(before, mark=before.mark + 1, marked_at=at, body=b"", facts=facts)


def following(before: Stored, after: Stored) -> Write:
    """Build the write that replaces one head by another."""
    return Write(after, (before.version, before.mark))
