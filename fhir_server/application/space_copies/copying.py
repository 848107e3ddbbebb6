"""A copy of a whole space, for the patient or a representative: all that single searches would show this person.

First the server looks what there is, and stores one audit event that names every document of the copy. Then the copy is
made while it is sent, a page at a time: each page is decided again, and holds no document that the event does not name.
Source: GDPR articles 15 and 20; Regulation (EU) 2025/327 article 3; docs/adr/0149-a-copy-of-the-whole-space.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from consent_rules.visibility import Visibility
from consent_rules.vocabulary import Action, PatientId
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE, Access
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import everything, read
from fhir_server.application.reading.everything import AllFilters
from fhir_server.deadline import demand_time
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem, RequiredLogin
from fhir_server.domain.search import dates
from fhir_server.domain.search.criteria import DateIs, Place, Search
from fhir_server.domain.space_archive.writing import NDJSON, File, written
from fhir_server.registry import DOCUMENT, DOCUMENTS, PATIENT, REGISTRY, TRACE, AccessRule, types_under
from fhir_server.settings import limits

PAGE_ROWS = 200
"""Resources that are in memory at a time."""
RECENT = RequiredLogin(max_age=15 * 60)
"""A copy holds everything, so it needs a login of the last quarter of an hour, with all factors of the account."""
_CONSENT = "Consent"
(_CONTENT,) = _CONTENTS = types_under(AccessRule.CONTENT)
_WHO = "the patient and legal representatives take a copy of a space, nobody else"


class CopyStopped(Exception):
    """A copy ends early: the space closed to the person, the login ended, or the server is locked down."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a copy of which space.

    signed_in: when the person logged in; None where nobody has, as for tokens of the demonstration.
    sent: the request, as the audit log keeps it.
    """

    caller: Caller
    patient: PatientId
    signed_in: datetime | None
    sent: str = ""


@dataclass(slots=True)
class Copy:
    """A copy that may be sent.

    ids: of what it holds, by type, each type in the order of its file. contents: ids of the contents of documents.
    choices: ids of the Consents among them that the patient's side has recorded.
    goes_on: asked before each page, whether the login still holds and the server serves.
    """

    runtime: Runtime
    asked: Asked
    at: datetime
    ids: dict[str, list[str]] = field(default_factory=dict)
    contents: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    goes_on: Callable[[], bool] = lambda: True

    def archive(self) -> Iterator[bytes]:
        """Yield the bytes of the archive.

        Raises: CopyStopped, which leaves the archive without its end, so that nobody takes it for whole.
        """
        about = {
            "created": bodies.instant(self.at),
            "server": self.runtime.fhir_base,
            "patient": f"{PATIENT}/{self.asked.patient}",
            "askedBy": self.asked.caller.requester.person,
            "choices": self.choices,
        }
        return written(self._files(), about, self.at)

    def _files(self) -> Iterator[File]:
        for type_, ids in self.ids.items():
            yield File(f"resources/{type_}.ndjson", NDJSON, self._lines(type_, ids))
        yield File(f"journal/{TRACE}.ndjson", NDJSON, self._journal())
        for id_ in self.contents:
            if found := self._content(id_):
                yield found

    def _lines(self, type_: str, ids: Sequence[str]) -> Iterator[bytes]:
        for start in range(0, len(ids), PAGE_ROWS):
            some = frozenset(ids[start : start + PAGE_ROWS])
            yield _ndjson(self._page(Search(type_, ids=some, limit=len(some)))[0])

    def _journal(self) -> Iterator[bytes]:
        """Yield the journal until the moment of the copy, newest first, as the person reads it."""
        until = DateIs("date", (("le", dates.interval_of(bodies.instant(self.at))),))
        after: Place | None = None
        while True:
            shown, after = self._page(Search(TRACE, (until,), sort="date", limit=PAGE_ROWS, after=after))
            yield _ndjson(shown)
            if after is None:
                return

    def _page(self, search: Search) -> tuple[tuple[Shown, ...], Place | None]:
        """Return one page of what the person sees now. Raises: CopyStopped."""
        with self.runtime.ports.store.snapshot() as snapshot:
            access, filters = self._entered(Access(self.runtime, self.asked.caller, self._audited, snapshot))
            found = snapshot.find(search, filters)
            return read.present(access, found.rows, filters), found.next

    def _content(self, id_: str) -> File | None:
        """Return one content as a file; None when the person does not see it any more."""
        with self.runtime.ports.store.snapshot() as snapshot:
            _, filters = self._entered(Access(self.runtime, self.asked.caller, self._audited, snapshot))
            found = snapshot.read(_CONTENT, id_, filters)
        if found is None or found.deleted:
            return None
        binary = orjson.loads(found.body)
        type_ = str(binary["contentType"])
        content = self.runtime.ports.blobs.get(found.facts.access.compartment, binary["_blob"])
        return File(f"files/{id_}.{ending_of(type_)}", type_, (content,))

    def _entered(self, access: Access) -> tuple[Access, "CopyFilters"]:
        if not self.goes_on():
            raise CopyStopped
        opened = open_unnamed(access, self.asked.patient, Action.CONSULT)  # a refusal is in the audit log
        if opened is None or not opened.is_for_patient:
            raise CopyStopped
        return access, CopyFilters(access)

    @property
    def _audited(self) -> AuditedInteraction:
        return _audited(self.asked)


class CopyFilters(AllFilters):
    """What single searches of each type would show, and the contents that single reads would."""

    def _filter(self, type_: str) -> Visibility:
        if type_ in _CONTENTS:
            return self.access.entered.within(self.access.caller, "r").of(type_)
        return super()._filter(type_)


@query
def begin(runtime: Runtime, asked: Asked) -> Copy:
    """Return a copy to be sent; the audit event that names its documents is durable then.

    Raises: Problem(NOT_FOUND), the same for an unknown patient and a space that the caller may not enter; FORBIDDEN for
    whoever is neither the patient nor a representative; INSUFFICIENT_SCOPE; UNAUTHENTICATED when the login is too old;
    TOO_COSTLY for more resources than a copy may hold.
    """
    audited = _audited(asked)
    try:
        _demand(runtime, asked)
    except Problem as problem:
        audit_log.record_refusal(runtime, asked.caller, audited, problem)
        raise
    copy, refused = Copy(runtime, asked, runtime.now()), None
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, asked.caller, audited, snapshot)
        read.enter_by_id(access, REGISTRY[PATIENT])
        if access.opened is None:
            refused, outcome = read.not_found(), read.outcome_by_id(access, ())
        else:
            refused = _fill(access, copy)
            touched = [f"{DOCUMENT}/{id_}" for id_ in copy.ids.get(DOCUMENT, ())]
            outcome = replace(access.opened.outcome(*touched), beyond=True)
            if refused:
                outcome = Outcome(OutcomeCode.REFUSED, refused.category.value, beyond=True)
    read.record_unless_refused(access, outcome)
    if refused:
        raise refused
    return copy


def _audited(asked: Asked) -> AuditedInteraction:
    return replace(interaction_of(EventKind.SPACE_COPIED, target=f"{PATIENT}/{asked.patient}"), query=asked.sent)


def _demand(runtime: Runtime, asked: Asked) -> None:
    """Refuse a caller who takes no copies, whatever the space. Raises: Problem, which depends on the caller alone."""
    if asked.caller.requester.kind not in PATIENTS_SIDE:
        raise Problem.of(Category.FORBIDDEN, _WHO, code="forbidden")
    for type_, letter in ((PATIENT, "r"), (DOCUMENT, "s"), (_CONTENT, "r")):
        smart_scopes.demand(asked.caller, (type_,), letter, asked.patient)
    if asked.signed_in is not None and (runtime.now() - asked.signed_in).total_seconds() > (RECENT.max_age or 0):
        issue = Issue("the person must log in again to take a copy", code="insufficient_user_authentication")
        raise Problem(Category.UNAUTHENTICATED, issue, login=RECENT)


def _fill(access: Access, copy: Copy) -> Problem | None:
    """Note in a copy what the person sees of the space; return why there is no copy, None when there is one."""
    if not access.entered.is_for_patient:
        return Problem.of(Category.FORBIDDEN, _WHO, code="forbidden")
    filters, most, count = CopyFilters(access), limits.in_force().copied, 0
    named: dict[str, set[str]] = {}
    for type_ in everything.TYPES:
        for page in _pages(access, filters, type_):
            count += len(page)
            if count > most:
                text = f"the space holds more than {most} resources: take it along by `$export`"
                return Problem.of(Category.TOO_COSTLY, text, code="too-costly")
            copy.ids.setdefault(type_, []).extend(item.stored.id for item in page)
            copy.contents += _contents(copy.runtime.fhir_base, page) if type_ in DOCUMENTS else []
            for of, ids in everything.entries_named(page).items():
                named.setdefault(of, set()).update(ids)
    own = {one.id for one in access.entered.record.directives if one.by_patient}
    copy.choices = sorted(own & set(copy.ids[_CONSENT]))
    copy.ids |= {type_: sorted(ids) for type_, ids in sorted(named.items())}
    return None


def _pages(access: Access, filters: CopyFilters, type_: str) -> Iterator[tuple[Shown, ...]]:
    after: Place | None = None
    while True:
        demand_time()
        found = access.snapshot.find(Search(type_, limit=PAGE_ROWS, after=after), filters)
        yield read.present(access, found.rows, filters)
        after = found.next
        if after is None:
            return


def _contents(fhir_base: str, documents: Sequence[Shown]) -> list[str]:
    """Return the ids of the contents that this server holds of documents."""
    attachments = (one["attachment"] for item in documents for one in orjson.loads(item.stored.body)["content"])
    found = (str(attachment.get("url", "")) for attachment in attachments)
    return [url.rpartition("/")[2] for url in found if url.startswith(f"{fhir_base}/")]


def _ndjson(page: Sequence[Shown]) -> bytes:
    return b"".join(bodies.body_for(item.stored, knows_marks=item.knows_marks) + b"\n" for item in page)


def ending_of(media_type: str) -> str:
    """Return how the name of a file of a media type ends, "bin" for a type that is not in the table."""
    return _ENDINGS.get(media_type.partition(";")[0].strip().lower(), "bin")


_ENDINGS = {
    "application/dicom": "dcm",
    "application/fhir+json": "json",
    "application/fhir+xml": "xml",
    "application/json": "json",
    "application/pdf": "pdf",
    "application/xml": "xml",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/tiff": "tif",
    "text/html": "html",
    "text/plain": "txt",
    "text/rtf": "rtf",
    "text/xml": "xml",
}
