"""The feed of the audit log to a repository outside (ITI-20, FHIR Feed): it remembers up to which instant it has sent.

No request puts a message or waits for it. The worker reads what has happened since the last batch, up to some minutes
ago, so that an event that a slow request stores later is not passed over. A batch that cannot be delivered is tried
again, and nothing after it is sent: the feed is in order. An event that the repository refuses gets a message of its
own, is tried again alone, and ends as a dead letter. After a sudden death a batch may be sent twice.
Source: IHE ITI-20, https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html; docs/adr/0119-a-feed-of-the-audit-log.md.
"""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

import orjson

from consent_rules.visibility import micros
from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import CONTROLLED, ReadingReason, controlled, of_kinds
from fhir_server.application.outbox.lanes import NOTHING, Lane, Later
from fhir_server.application.reading.event_redaction import without_unknown
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.domain.values import Json
from fhir_server.ports.outbox import Message, Pending
from fhir_server.ports.store import Change, Page, Snapshot
from fhir_server.ports.surroundings import AuditRepository, RepositoryUnreachable
from fhir_server.ports.vault import Secret
from fhir_server.registry import TRACE
from fhir_server.settings import limits

LANE, ALONE_LANE = "audit-feed", "audit-feed-alone"
_KIND = "audit-feed"
_BATCH, _BATCHES = 100, 20
_SETTLES = timedelta(seconds=60)
_EVERY, _UNUSED = timedelta(seconds=15), timedelta(minutes=10)
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers to a batch that say that one of its events is refused; any other error concerns the repository."""


class FeedRefused(Exception):
    """The repository refused one event; it is to be tried again."""


def feed(runtime: Runtime, _message: Pending) -> Change:
    """Send what has happened since the last batch. Raises: RepositoryUnreachable; Later when more is to be sent."""
    repository = runtime.ports.repository
    if repository is None:
        raise Later(runtime.now() + _UNUSED)
    for _ in range(_BATCHES):
        if not _send_batch(runtime, repository):
            return NOTHING
    raise Later(runtime.now())


def _send_batch(runtime: Runtime, repository: AuditRepository) -> bool:
    """Send one batch, and note where the next begins; tell whether there may be more."""
    held = runtime.ports.vault.get(_KIND, repository.name, runtime.now())
    if held is None:  # the feed begins with what happens from now on
        runtime.ports.vault.add(_position(repository, Place(micros(runtime.now()), "")))
        return False
    since = Place(**orjson.loads(held.value))
    until = runtime.now() - timedelta(seconds=2 * limits.in_force().request_seconds) - _SETTLES
    search = Search(TRACE, descending=False, limit=_BATCH, after=since)
    with runtime.ports.store.snapshot() as snapshot:
        span = since.value, max(since.value, micros(until))
        page = snapshot.find_everywhere(search, span, controlled(ReadingReason.AUDIT_FEED), _BATCH)
        bodies = without_unknown(snapshot, page.rows)
    refused = _deliver(repository, bodies) if bodies else ()
    again = tuple(Message(ALONE_LANE, id_, id_.encode(), runtime.now()) for id_ in refused)
    if again:
        audit_log.commit(runtime, Change((), outbox=again))
    following = page.next or _last(page)
    if following:
        runtime.ports.vault.replace(_position(repository, following, held.revision))
    return page.next is not None


def _position(repository: AuditRepository, place: Place, revision: int = 1) -> Secret:
    value = orjson.dumps({"value": place.value, "id": place.id})
    return Secret(_KIND, repository.name, value, revision=revision)


def _last(page: Page) -> Place | None:
    if not page.rows:
        return None
    last = page.rows[-1]
    return Place(last.facts.dates["date"][0], last.id)


def _deliver(repository: AuditRepository, bodies: Sequence[bytes]) -> tuple[str, ...]:
    """Send events as one batch; return the ids of those that the repository refuses. Raises: RepositoryUnreachable."""
    events: list[Json] = [orjson.loads(body) for body in bodies]
    entries = [{"resource": event, "request": {"method": "POST", "url": TRACE}} for event in events]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    status, answer = repository.feed("", orjson.dumps(bundle))
    if status in _REFUSED:
        return tuple(event["id"] for event in events)
    _demand_taken(status)
    taken = _statuses(answer)
    return tuple(event["id"] for event, one in zip(events, taken, strict=False) if not one.startswith("2"))


def _statuses(answer: bytes) -> list[str]:
    """Return the status of each entry of an answer; none when the answer tells none."""
    try:
        entries = orjson.loads(answer).get("entry", ())
        return [str(entry["response"]["status"]) for entry in entries]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return []


def feed_alone(runtime: Runtime, message: Pending) -> Change:
    """Send one event that the repository has refused. Raises: FeedRefused; RepositoryUnreachable."""
    repository = runtime.ports.repository
    with runtime.ports.store.snapshot() as snapshot:
        body = _one(snapshot, message.body.decode())
    if repository is None or body is None:
        return NOTHING
    status, _ = repository.feed(TRACE, body)
    if status in _REFUSED:
        raise FeedRefused
    _demand_taken(status)
    return NOTHING


def _one(snapshot: Snapshot, id_: str) -> bytes | None:
    """Return one event as the feed sends it, None when its space was erased."""
    place = snapshot.locate(TRACE, id_)
    view = of_kinds(ReadingReason.AUDIT_FEED, place.compartment, CONTROLLED) if place else None
    found = snapshot.read(TRACE, id_, view) if view else None
    return without_unknown(snapshot, (found,))[0] if found else None


def _demand_taken(status: int) -> None:
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise RepositoryUnreachable(f"answered {status}")


FEED = Lane(LANE, feed, every=_EVERY)
ALONE = Lane(ALONE_LANE, feed_alone, tries=24, first_pause=timedelta(seconds=10))
"""Each refused event is tried for more than half a day: somebody may need that time to repair the repository."""
