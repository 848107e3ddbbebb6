"""What a story asks of a world, and what all worlds share: names, choices as Consents, requests in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.domain.consents.defaults import default_in
from fhir_server.domain.consents.writing import consent_of
from fhir_server.domain.values import Json
from seed import cast, choices
from seed.book import Demonstration

Step = Mapping[str, Any]
Waiting = Sequence[tuple[str, str]]
"""Openings in a queue: the name and the state of each."""
MODES = {"break-glass": Purpose.BREAK_GLASS, "regulation": Purpose.EMERGENCY}
_ACTORS = ("professionals", "organizations", "guardians")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who is not of the cast: a child whose space is announced, with who represents it."""

    key: str
    birth: str
    guardians: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """A document that a story files. marks: names. replaces: key of a document."""

    key: str
    of: str
    type: str
    marks: tuple[str, ...] = ()
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A default of a space as it shall be."""

    template: str
    level: str
    status: str

    def of(self, consent: Json) -> Json:
        """Return the Consent of the default, changed."""
        stem, _, _ = str(consent["policyRule"]["coding"][0]["code"]).rpartition(":")
        rule = {"coding": [consent["policyRule"]["coding"][0] | {"code": f"{stem}:{self.level}"}]}
        return consent | {"status": self.status, "policyRule": rule}


def defaults_among(consents: Iterable[Json]) -> dict[str, Json]:
    """Return the defaults among the Consents of a space, by template; two of one would be a fault."""
    found = [(default_in(consent), consent) for consent in consents if default_in(consent)]
    assert len(dict(found)) == len(found)
    return dict(found)


def words_of(consent: Json) -> str:
    """Return template, status and level of a default."""
    level = str(consent["policyRule"]["coding"][0]["code"]).rpartition(":")[2]
    return f"{default_in(consent)} {consent['status']} {level}"


class World(Protocol):
    """The rules alone, the use cases on a store, or the server over HTTP.

    Lists are keys of documents; None is a refusal, and so is False of what is done. `who` is somebody of the cast;
    "awa+break-glass" is the same person under a grant of that mode, "marc/leo" a parent acting for a child.
    """

    demo: Demonstration

    def now(self) -> datetime:
        """The time in this world."""

    def list(self, who: str, of: str, scope: str = "") -> set[str] | None: ...

    def read(self, who: str, document: str) -> bool: ...

    def why(self) -> str:
        """The ground or the reason of the last list."""

    def choose(self, who: str, of: str, consent: Json, name: str) -> bool: ...

    def undo(self, who: str, of: str, name: str) -> bool: ...

    def change_default(self, who: str, of: str, wanted: Wanted) -> bool:
        """Change a default of a space in its own Consent."""

    def defaults(self, who: str, of: str) -> set[str] | None:
        """What somebody finds of the defaults of a space: template, status and level of each."""

    def mark(self, who: str, document: str, mark: str, *, on: bool) -> bool: ...

    def file(self, who: str, paper: Paper) -> bool: ...

    def wait(self, hours: float) -> None: ...

    def only_emergencies(self, *, on: bool) -> bool:
        """Let whoever runs the server stop everything but emergencies, or take that back."""

    def open_emergency(self, who: str, of: str, reason: str, name: str) -> bool:
        """Open a space in an emergency; the opening is called by a name afterwards."""

    def queue(self, who: str) -> Waiting | None:
        """The openings of all spaces that wait for their review, in order: name and state of each."""

    def review(self, who: str, opening: str, outcome: str) -> bool: ...

    def contest(self, who: str, opening: str) -> bool: ...

    def review_state(self, who: str, opening: str) -> str | None: ...

    def announce(self, newcomer: Newcomer) -> None: ...

    def introduce(self, name: str, of: str) -> None:
        """Record a related person of a patient, who has no right yet."""

    def move(self, who: str, of: str, operation: str) -> bool:
        """Ask for a change in the life of a space."""

    def status(self, who: str, of: str) -> str | None: ...

    def told(self, who: str, of: str) -> set[str] | None:
        """The kinds of the notices that somebody reads of a space."""

    def audience(self, who: str, document: str, proposed: str) -> dict[tuple[str, str], tuple[bool, bool]] | None:
        """Who sees a document now, and would with the proposal: by role, and key or code of a profession."""

    def explain(self, who: str, of: str, type_: str) -> tuple[bool, str] | None:
        """Whether the caller may enter, and the words of the explanation in English."""

    def traces(self, who: str, of: str) -> bool: ...


def base_of(who: str) -> str:
    """Return who acts, without the mode of the grant."""
    return who.partition("+")[0]


def purpose_of(who: str) -> Purpose | None:
    """Return the purpose of a grant for a mode, None for an ordinary one."""
    return MODES.get(who.partition("+")[2])


def chosen(world: World, step: Step, of: str) -> Json:
    """Write a choice as the Consent that a client would send."""
    if step["does"] in {"agree", "block", "declare"}:
        return _of_the_seed(world.demo, step, of)
    actors = frozenset(reference_of(world.demo, name, of) for name in step.get("to", ()))
    start = world.now() if "days" in step else None
    directive = Directive(
        "",
        DirectiveKind(step["kind"]),
        actors=actors,
        purposes=frozenset(MODES[mode] for mode in step.get("modes", ())),
        start=start,
        end=start + timedelta(days=step["days"]) if start else None,
        recorded_at=world.now(),
        kinds=frozenset(step["types"]) if "types" in step else None,
        categories=frozenset(step["classes"]) if "classes" in step else None,
        documents=frozenset(world.demo.documents[key] for key in step["documents"]) if "documents" in step else None,
        excluded=frozenset(reference_of(world.demo, name, of) for name in step.get("except", ())),
    )
    return consent_of(directive, world.demo.patients[of], f"Organization/{world.demo.organizations['chu-a']}")


def _of_the_seed(demo: Demonstration, step: Step, of: str) -> Json:
    if step["does"] == "block":
        return choices.block(demo, of, step["whom"])
    if step["does"] == "declare":
        return choices.declared_physician(demo, of, step["whom"])
    is_place = any(part.key == step["to"] for part in cast.ESTABLISHMENTS)
    return (choices.team if is_place else choices.consultation)(demo, of, step["to"])


def reference_of(demo: Demonstration, name: str, of: str) -> str:
    """Return the reference of a professional, an establishment or a related person of a patient."""
    if name in demo.professionals:
        return f"Practitioner/{demo.professionals[name]}"
    if name in demo.organizations:
        return f"Organization/{demo.organizations[name]}"
    return f"RelatedPerson/{demo.guardians[f'{name}/{of}']}"
