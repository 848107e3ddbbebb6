"""What a requirement is, how it asks the server, and how it says what it found.

A requirement is a function that gets a Probe. It returns when the server does what the guide says, and raises Broken
when it does not. Each guide is one module, and `requirement` adds a function to the list of its module.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from fhir_server.conformance.exchange import FORM, JSON, Answer, Request, Resource, send, url_of

Level = Literal["SHALL", "SHOULD"]


class Need(Enum):
    """What a requirement needs besides the address. The values are the options of the command that give it."""

    READER = "--reader-token-file"
    PATIENT = "--patient"
    PUBLISHER = "--publisher-token-file"
    SUBMISSION = "--submission"
    AUDITOR = "--auditor-token-file"


class Broken(Exception):
    """The server does not do what the requirement says. `expected`: what it should have done."""

    def __init__(self, expected: str) -> None:
        """Keep what was expected."""
        super().__init__(expected)
        self.expected = expected


class NotApplicable(Exception):
    """The requirement cannot be asked of this server; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server under test, and what the tester gives for it.

    base: the FHIR base address. patient: id of a test patient. tokens: bearer tokens by what they are needed for.
    submission: a valid ITI-65 transaction for that patient.
    """

    base: str
    patient: str = ""
    tokens: Mapping[Need, str] = field(default_factory=dict)
    submission: Resource | None = None

    def has(self, need: Need) -> bool:
        """Tell whether the tester gives this."""
        if need is Need.PATIENT:
            return bool(self.patient)
        return self.submission is not None if need is Need.SUBMISSION else need in self.tokens


@dataclass(slots=True)
class Probe:
    """Asks the server for one requirement, and keeps every request with its answer."""

    target: Target
    exchanges: list[tuple[Request, Answer]] = field(default_factory=list)
    _statement: Resource | None = None

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        need: Need | None = Need.READER,
    ) -> Answer:
        """GET a path below the base, in JSON unless `headers` ask for something else. need: whose token, if any."""
        return self.send("GET", path, parameters=parameters, headers={"Accept": JSON} | dict(headers or {}), need=need)

    def send(  # noqa: PLR0913 - a request has these parts
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        need: Need | None = Need.READER,
    ) -> Answer:
        """Send a request with the token of `need`."""
        token = self.target.tokens.get(need) if need else None
        whole = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        request = Request(method, url_of(self.target.base, path, parameters), whole, body)
        answer = send(request)
        self.exchanges.append((request, answer))
        return answer

    def post(self, path: str, resource: Resource, need: Need | None = Need.READER) -> Answer:
        """POST a resource in JSON."""
        headers = {"Accept": JSON, "Content-Type": JSON}
        return self.send("POST", path, headers=headers, body=json.dumps(resource).encode(), need=need)

    def post_form(self, path: str, form: bytes) -> Answer:
        """POST the form of a search."""
        return self.send("POST", path, headers={"Accept": JSON, "Content-Type": FORM}, body=form)

    def statement(self) -> Resource:
        """Return the CapabilityStatement.

        Raises: Broken when the server gives none.
        """
        if self._statement is None:
            answer = self.get("metadata", need=None)
            expect(answer.status == 200 and answer.type == "CapabilityStatement", "a CapabilityStatement at /metadata")
            self._statement = answer.resource
        return self._statement


@dataclass(frozen=True, slots=True)
class Requirement:
    """One statement of a guide.

    name: unique. guide, source: where it stands, as a name and a URL with its clause. needs: what the tester must give.
    """

    name: str
    guide: str
    source: str
    level: Level
    statement: str
    needs: frozenset[Need]
    check: Callable[[Probe], None]


@dataclass(frozen=True, slots=True)
class Guide:
    """Collects the requirements of one guide. name: as people call it. source: URL of the guide."""

    name: str
    source: str
    requirements: list[Requirement] = field(default_factory=list)

    def requires(
        self, name: str, clause: str, *needs: Need, level: Level = "SHALL"
    ) -> Callable[[Callable[[Probe], None]], Callable[[Probe], None]]:
        """Add a function as a requirement; its docstring is the statement. clause: below the URL of the guide."""

        def added(check: Callable[[Probe], None]) -> Callable[[Probe], None]:
            statement = " ".join((check.__doc__ or "").split())
            wanted = Requirement(name, self.name, f"{self.source}{clause}", level, statement, frozenset(needs), check)
            self.requirements.append(wanted)
            return check

        return added


def expect(holds: object, expected: str) -> None:
    """Raise Broken unless something holds. expected: what the server should have answered."""
    if not holds:
        raise Broken(expected)


def resources_of(bundle: Resource) -> list[Resource]:
    """Return the resources of a Bundle's entries, those of `search.mode` outcome or include left out."""
    found = [entry for entry in entries_of(bundle) if _mode(entry) not in ("outcome", "include")]
    return [entry["resource"] for entry in found if isinstance(entry.get("resource"), dict)]  # type: ignore[misc]


def entries_of(resource: Resource, name: str = "entry") -> list[Resource]:
    """Return the objects of a list in a resource; empty when there is none."""
    found = resource.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def object_of(resource: Resource, name: str) -> Resource:
    """Return an object in a resource; empty when there is none."""
    found = resource.get(name)
    return found if isinstance(found, dict) else {}


def _mode(entry: Resource) -> object:
    return object_of(entry, "search").get("mode")


def link_of(bundle: Resource, relation: str) -> str:
    """Return the URL of a link of a Bundle, "" when there is none."""
    links = (link for link in entries_of(bundle, "link") if link.get("relation") == relation)
    return next((str(link.get("url", "")) for link in links), "")
