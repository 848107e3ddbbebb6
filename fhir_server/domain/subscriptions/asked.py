"""What a client asks for in a Subscription, read and judged element by element.

Source: Subscriptions R5 Backport 1.1.0, profile backport-subscription
(http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription.html);
IHE DSUBm ITI-110, 2:3.110.4.1.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.subscriptions.topics import REFUSED, TOPICS, Topic
from fhir_server.domain.values import Json

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
FILTER, CONTENT, HEARTBEAT, TIMEOUT, MOST = (
    f"{BACKPORT}backport-{name}"
    for name in ("filter-criteria", "payload-content", "heartbeat-period", "timeout", "max-count")
)
MEDIA = ("application/fhir+json", "application/fhir+xml")
EMPTY, ID_ONLY, FULL = "empty", "id-only", "full-resource"
SHORTEST_HEARTBEAT, SECONDS = 60, 5
"""Shortest heartbeat, and how long a call may take, in seconds."""
_LONGEST_HEARTBEAT = 31 * 24 * 3600
_PATIENT = ("patient", "subject")
_ENDS = "it also tells deletions, and so would tell that something was hidden from you"


@dataclass(frozen=True, slots=True)
class Asked:
    """A subscription as a client asks for it.

    filters: (parameter, value) pairs, without the patient and with `Topic.among`. patient: the id, "" for none.
    identifier: "system|value" of the patient instead. content: EMPTY or ID_ONLY. media: one of MEDIA.
    heartbeat: in seconds, 0 for none. end: None for none.
    """

    topic: Topic
    filters: tuple[tuple[str, str], ...]
    patient: str
    identifier: str
    endpoint: str
    content: str
    media: str
    heartbeat: int
    end: datetime | None


def read(resource: Json, now: datetime) -> Asked:
    """Read a Subscription of R4 with the extensions of the backport.

    Raises: Problem(BUSINESS_RULE) naming every element that is wrong or not supported.
    """
    reader = _Reader(resource, now)
    found = reader.asked()
    if reader.issues or found is None:
        raise Problem(Category.BUSINESS_RULE, *reader.issues)
    return found


@dataclass(slots=True)
class _Reader:
    resource: Json
    now: datetime
    issues: list[Issue] = field(default_factory=list)

    def asked(self) -> Asked | None:
        """Return what is asked, None when the topic is unknown; add each fault to `issues`."""
        if self.resource.get("status") != "requested":
            self._fault("a new subscription has the status `requested`", "status")
        channel: Json = self.resource.get("channel", {})
        content, media = self._payload(channel)
        heartbeat, endpoint, end = self._channel(channel), self._endpoint(channel), self._end()
        topic = self._topic()
        if topic is None:
            return None
        pairs = [*self._pairs(topic)]
        named = [pair for pair in pairs if pair[0].partition(":")[0].partition(".")[0] in _PATIENT]
        patient, identifier = self._patient(topic, named)
        filters = (*topic.among, *(pair for pair in pairs if pair not in named))
        return Asked(topic, filters, patient, identifier, endpoint, content, media, heartbeat, end)

    def _fault(self, text: str, place: str) -> None:
        self.issues.append(Issue(text, f"Subscription.{place}", "value"))

    def _topic(self) -> Topic | None:
        url = str(self.resource.get("criteria", ""))
        found = TOPICS.get(url)
        if url in REFUSED:
            self._fault(f"this topic is not offered: {_ENDS}", "criteria")
        elif found is None:
            self._fault("names no topic of this server; `GET Basic?code=SubscriptionTopic` lists them", "criteria")
        return found

    def _pairs(self, topic: Topic) -> Iterator[tuple[str, str]]:
        """Yield the filters, as (parameter, value)."""
        place = "criteria.extension"
        for extension in self.resource.get("_criteria", {}).get("extension", ()):
            written = str(extension.get("valueString", ""))
            type_, mark, query = written.partition("?")
            if extension.get("url") != FILTER or not mark or type_ != topic.type:
                self._fault(f"takes filters of the form `{topic.type}?parameter=value` alone", place)
                continue
            for name, value in parse_qsl(query, keep_blank_values=True):
                base = name.partition(":")[0].partition(".")[0]
                if base not in (*topic.filters, *_PATIENT) or not value:
                    text = f"`{name[:64]}` is no filter of this topic; its filters: {', '.join(topic.filters)}"
                    self._fault(text, place)
                else:
                    yield name, value

    def _patient(self, topic: Topic, named: list[tuple[str, str]]) -> tuple[str, str]:
        if topic.many:
            if named:
                self._fault("this topic takes no patient", "criteria.extension")
            return "", ""
        names = {"patient", "subject", "patient.identifier", "subject.identifier"}
        if len(named) != 1 or named[0][0] not in names or "," in named[0][1]:
            self._fault("name one patient with `patient` or `patient.identifier`", "criteria.extension")
            return "", ""
        name, value = named[0]
        if name.endswith(".identifier"):
            return "", value
        return value.rpartition("/")[2], ""

    def _payload(self, channel: Json) -> tuple[str, str]:
        media = str(channel.get("payload", MEDIA[0]))
        if media not in MEDIA:
            self._fault(f"takes one of {', '.join(MEDIA)}", "channel.payload")
        extensions = channel.get("_payload", {}).get("extension", ())
        content = next((str(one.get("valueCode")) for one in extensions if one.get("url") == CONTENT), EMPTY)
        if content == FULL:
            text = "`full-resource` is not offered: read the resource with your token, and the server decides then"
            self._fault(text, "channel.payload.extension")
        elif content not in (EMPTY, ID_ONLY):
            self._fault(f"takes `{EMPTY}` or `{ID_ONLY}`", "channel.payload.extension")
        return content, media

    def _channel(self, channel: Json) -> int:
        """Judge the kind of channel and its extensions; return the heartbeat."""
        if channel.get("type") != "rest-hook":
            self._fault("`rest-hook` is the only channel", "channel.type")
        if channel.get("header"):
            self._fault("headers are not kept: each call is signed with your secret", "channel.header")
        heartbeat = 0
        for extension in channel.get("extension", ()):
            url, value = extension.get("url"), extension.get("valueUnsignedInt", extension.get("valuePositiveInt"))
            if url == HEARTBEAT and isinstance(value, int) and SHORTEST_HEARTBEAT <= value <= _LONGEST_HEARTBEAT:
                heartbeat = value
            elif url == HEARTBEAT:
                text = f"a heartbeat comes every {SHORTEST_HEARTBEAT} to {_LONGEST_HEARTBEAT} seconds"
                self._fault(text, "channel.extension")
            elif not (url == MOST and value) and not (url == TIMEOUT and isinstance(value, int) and value >= SECONDS):
                self._fault(f"`{str(url)[:200]}` is not supported with this value", "channel.extension")
        return heartbeat

    def _endpoint(self, channel: Json) -> str:
        endpoint = str(channel.get("endpoint", ""))
        try:
            parts = urlsplit(endpoint)
            is_address = bool(parts.scheme and parts.hostname) and "@" not in parts.netloc and not parts.fragment
        except ValueError:
            is_address = False
        if not is_address or len(endpoint) > 2000:  # noqa: PLR2004 - longer than any address in use
            self._fault("takes an absolute https address without user and fragment", "channel.endpoint")
        return endpoint

    def _end(self) -> datetime | None:
        written = self.resource.get("end")
        if written is None:
            return None
        end = datetime.fromisoformat(str(written))
        if end <= self.now:
            self._fault("must lie in the future", "end")
        return end
