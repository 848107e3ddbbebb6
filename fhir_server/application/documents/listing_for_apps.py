"""Lists the documents that a person may withhold from their own app, and builds what the grant stores of the answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from consent_rules.vocabulary import NO_SPACE
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.documents import replacement_chain
from fhir_server.application.reading import search as reading_search
from fhir_server.application.reading.search import Wanted
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import AppExclusions, Caller
from fhir_server.domain.search import dates
from fhir_server.domain.search.criteria import Search
from fhir_server.domain.values import Interaction, Json
from fhir_server.registry import REGISTRY

LISTED = 200
_DOCUMENT = "DocumentReference"


@dataclass(frozen=True, slots=True)
class Offered:
    """One document that a person may withhold. kind: for the rules. label: name of its type. date: as it states."""

    id: str
    kind: str
    title: str
    label: str
    date: datetime | None


def documents_of(runtime: Runtime, caller: Caller) -> tuple[tuple[Offered, ...], bool]:
    """Return the newest current documents that a person sees in the space in context, and whether there are more.

    This is audited like every other search.
    Raises: Problem when the person may not enter the space.
    """
    search = Search(_DOCUMENT, sort="date", descending=True, limit=LISTED)
    wanted = Wanted(search, caller.launch_patient, total=False, query="GET /oauth/interaction")
    found = reading_search.find(runtime, caller, REGISTRY[_DOCUMENT], wanted)
    read = ((shown, orjson.loads(shown.stored.body)) for shown in found.shown)
    current = tuple(_offered(shown, body) for shown, body in read if body.get("status") == "current")
    return current, found.next is not None


def _offered(shown: Shown, body: Json) -> Offered:
    type_ = body.get("type", {})
    coding: Json = next(iter(type_.get("coding", [])), {})
    label = str(type_.get("text") or coding.get("display") or coding.get("code") or "")
    content: Json = next(iter(body.get("content", [])), {})
    title = str(content.get("attachment", {}).get("title") or body.get("description") or label)
    facts = shown.stored.facts
    date = dates.instant_of(facts.dates["date"][0]) if "date" in facts.dates else None
    return Offered(shown.stored.id, facts.access.kind, title, label, date)


def withhold(runtime: Runtime, caller: Caller, documents: Iterable[str], kinds: Iterable[str]) -> AppExclusions:
    """Return the exclusions to store in the grant: each document stands for its whole replacement chain."""
    with runtime.ports.store.snapshot() as snapshot:
        work = UnitOfWork(runtime, caller, AuditedInteraction(Interaction.READ, _DOCUMENT), snapshot)
        space = whole_space(ReadingReason.APP_RESTRICTIONS, caller.launch_patient or NO_SPACE)
        read = (work.read_any(_DOCUMENT, id_, space) for id_ in sorted(set(documents)))
        found = [stored for stored in read if stored]
        roots = {replacement_chain.root_of(work, stored) for stored in found}
    ids = roots | {stored.id for stored in found}
    tokens = (replacement_chain.token_of(root) for root in roots)
    return AppExclusions(tuple(sorted(ids)), tuple(sorted(tokens)), tuple(sorted(set(kinds))))
