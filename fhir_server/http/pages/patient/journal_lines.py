"""The journal of accesses: AuditEvents in plain French or English sentences for the patient.

Source: R.1111-43 and L.1111-19 of the French public health code (rules H3 to H9 of docs/rules.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from flask_babel import format_datetime, gettext, ngettext

from consent_rules.vocabulary import Basis
from fhir_server.domain.audit.audit_event import PAGES
from fhir_server.domain.audit.audit_event_parts import OWN_LOGIN
from fhir_server.domain.audit.stored_events import is_of_sign_in, kind_of_event, type_of_event
from fhir_server.domain.events import explanations, sentences, words
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Json, type_of
from fhir_server.http.pages.language import current_language, local
from fhir_server.registry import DOCUMENTS, REGISTRY, AccessRule, types_under

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_TITLED = frozenset(name for name in DOCUMENTS if not REGISTRY[name].kind)
"""Types of the documents that have titles."""
_OF_DOCUMENTS = _TITLED | types_under(AccessRule.CONTENT, AccessRule.GATHERING)
_APP_USERS = ("Patient/", "RelatedPerson/")
_FILINGS = frozenset({EventKind.DOCUMENT_PUBLISHED, EventKind.DOCUMENTS_PUBLISHED, EventKind.DOCUMENT_REPLACED})
_OWN_CLIENTS = frozenset({PAGES, "habilis"})
"""Client ids that stand for these pages themselves."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One entry of the journal, in the language of the page.

    where: the establishment of the person who acted, or the owner of the app. documents: titles, or a plain word where
    the title is not known. through: the software through which a person filed documents, "" for any other act.
    contestable: whether a professional acted. by: the filter of the journal for who acted, as name and value.
    is_machine: whether software or an app acted, so that equal lines of a day are told together. first: when the first
    of several was; times: how many there are; added: the documents of the others.
    """

    id: str
    at: datetime
    who: str
    where: str
    act: str
    documents: tuple[str, ...]
    why: str
    refused: bool
    through: str = ""
    contestable: bool = False
    by: tuple[str, str] = ("", "")
    is_machine: bool = False
    first: datetime | None = None
    times: int = 1
    added: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """The documents of this and of the entries that are told with it, each once."""
        return tuple(dict.fromkeys((*self.documents, *self.added)))

    @property
    def clock(self) -> str:
        """When it happened, on the clock of the page."""
        return f"{self.at:%H:%M}"

    @property
    def first_clock(self) -> str:
        """When the first of several happened, on the clock of the page."""
        return f"{self.first or self.at:%H:%M}"


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one day, newest first."""

    at: datetime
    lines: tuple[JournalLine, ...]


def events_of(bodies: Iterable[bytes]) -> tuple[Json, ...]:
    """Read AuditEvents."""
    return tuple(orjson.loads(body) for body in bodies)


def documents_of(event: Json) -> tuple[str, ...]:
    """Return the ids of the documents that an event names, in order."""
    references = (str(entity.get("what", {}).get("reference", "")) for entity in event.get("entity", ()))
    return tuple(dict.fromkeys(ref.split("/")[1] for ref in references if type_of(ref) in _TITLED))


def line_of(event: Json, titles: Mapping[str, str]) -> JournalLine:
    """Put one event into words. titles: of the documents that the reader may see, by id."""
    refused = event.get("outcome", "0") != "0"
    who, where = _party(event)
    return JournalLine(
        id=str(event["id"]),
        at=local(datetime.fromisoformat(event["recorded"])),
        who=who,
        where=where,
        act=_act(event, refused=refused),
        documents=_told(event, titles),
        why=_why(event, refused=refused),
        refused=refused,
        through=_software(event),
        contestable=_person(event).startswith("Practitioner/"),
        by=_by(event),
        is_machine=_is_by_app(event) or not _person(event),
    )


def _person(event: Json) -> str:
    """Return the reference of the person who acted, "" when software acted alone."""
    return str(_agent(event, _PARTICIPATION).get("who", {}).get("reference", ""))


def _by(event: Json) -> tuple[str, str]:
    """Return the filter that shows only lines of the same person, or of the same app or software."""
    person, client = _person(event), str(event["agent"][0]["who"].get("identifier", {}).get("value", ""))
    return ("who", person) if person and not _is_by_app(event) else ("app", client)


def _party(event: Json) -> tuple[str, str]:
    """Return who acted, and for whom; where an app acted for a patient, guardian or carer, the app is who acted."""
    user, client = _agent(event, _PARTICIPATION), event["agent"][0]["who"]
    if not user:
        return str(client.get("display", "")), str(_agent(event, _ROLE_CLASS).get("who", {}).get("display", ""))
    name = str(user["who"].get("display", ""))
    if _is_by_app(event):
        return str(client.get("display", "")), gettext("app of %(person)s", person=name)
    if any(one["url"] == OWN_LOGIN for one in user.get("extension", ())):
        said = sentences.phrase(words.WITHOUT_LOGIN, current_language()).rstrip(",")
        name = said.replace("%(app)s", str(client.get("display", ""))).replace("%(person)s", name)
    return name, str(_agent(event, _ROLE_CLASS).get("who", {}).get("display", ""))


def _software(event: Json) -> str:
    """Return the software through which a professional filed documents; where no person is named, software acted."""
    is_filing = kind_of_event(event) in _FILINGS and not _is_by_app(event)
    by_person = bool(_agent(event, _PARTICIPATION))
    return str(event["agent"][0]["who"].get("display", "")) if is_filing and by_person else ""


def _is_by_app(event: Json) -> bool:
    """Tell whether an app acted for a patient, a guardian or a carer, and not the person by means of these pages."""
    person = _person(event)
    client = str(event["agent"][0]["who"].get("identifier", {}).get("value", ""))
    return person.startswith(_APP_USERS) and client not in _OWN_CLIENTS and not is_of_sign_in(event)


def folded(lines: Iterable[JournalLine]) -> tuple[JournalLine, ...]:
    """Tell together what the same app or software did in the same way on one day, at the place of the latest.

    Refusals stay apart, and so does what a person did.
    """
    kept: dict[object, JournalLine] = {}
    for line in lines:
        key = (line.at.date(), line.by, line.who, line.where, line.act, line.why) if _folds(line) else line.id
        latest = kept.get(key)
        kept[key] = line if latest is None else _joined(latest, line)
    return tuple(kept.values())


def _joined(latest: JournalLine, line: JournalLine) -> JournalLine:
    added = (*latest.added, *line.documents)
    return replace(latest, added=added, first=line.at, times=latest.times + 1)


def _folds(line: JournalLine) -> bool:
    return line.is_machine and not line.refused


def by_day(lines: Sequence[JournalLine]) -> tuple[Day, ...]:
    """Group entries by day, in the order given."""
    days: dict[str, list[JournalLine]] = {}
    for line in lines:
        days.setdefault(line.at.date().isoformat(), []).append(line)
    return tuple(Day(members[0].at, tuple(members)) for members in days.values())


def _agent(event: Json, system: str) -> Json:
    for agent in event.get("agent", ()):
        if any(coding.get("system") == system for coding in agent.get("type", {}).get("coding", ())):
            found: Json = agent
            return found
    return {}


def _act(event: Json, *, refused: bool) -> str:
    kind, type_, language = kind_of_event(event), type_of_event(event), current_language()
    told = sentences.wanted(kind, type_, language) if refused else sentences.act(kind, type_, language).did
    return told.replace("%(app)s", str(event["agent"][0]["who"].get("display", "")))


def _told(event: Json, titles: Mapping[str, str]) -> tuple[str, ...]:
    documents = documents_of(event)
    named = [titles[id_] for id_ in documents if id_ in titles]
    others = len(documents) - len(named)
    if others and type_of_event(event) in _OF_DOCUMENTS:
        named.append(ngettext("%(num)s other document", "%(num)s other documents", others))
    return tuple(named)


def _why(event: Json, *, refused: bool) -> str:
    """Return the explanation of an event: why it was refused, or on which ground it was done."""
    if refused:
        reason = str(event.get("outcomeDesc", ""))
        return gettext("Reason: %(reason)s.", reason=sentences.refusal(reason, current_language())) if reason else ""
    if kind_of_event(event) is EventKind.SERVICE_RESTORED:
        return _restored(event)
    details = {d["type"]: d.get("valueString", "") for e in event.get("entity", ()) for d in e.get("detail", ())}
    ground = str(details.get("ground", ""))
    if not ground:
        return ""
    if ground == Basis.PATIENT and _is_by_app(event):
        told = sentences.phrase(explanations.BY_APP, current_language())
    else:
        told = sentences.ground(ground, str(details.get("grade", "")), current_language())
    return str(gettext("Ground: %(ground)s.", ground=told))


def _restored(event: Json) -> str:
    """Say to which earlier state the service was restored, and what that means for the patient."""
    at = format_datetime(local(datetime.fromisoformat(str(event["outcomeDesc"]))), "d MMMM y, HH:mm:ss", rebase=False)
    return sentences.phrase(explanations.RESTORED, current_language()).replace("%(at)s", str(at))
