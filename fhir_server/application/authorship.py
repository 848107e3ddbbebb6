"""Who wrote a document: the person who filed it, and those whom it names as authors.

Source: ANS PDSM4DMP, TD3.3c (rule J2).
"""

from collections.abc import Iterator
from typing import Any

from consent_rules.visibility import DIRECTORY
from fhir_server.application.writing import Work
from fhir_server.domain import pointers
from fhir_server.domain.stored import Stored
from fhir_server.r4.parsing import load_json

Json = dict[str, Any]
Identifiers = frozenset[tuple[str, str]]


def is_of(work: Work, document: Stored) -> bool:
    """Tell whether the person who calls filed a document, or is one of its authors."""
    requester = work.caller.requester
    if requester.person and requester.person == document.facts.access.owner_person:
        return True
    body = load_json(document.body)
    contained = {f"#{inner.get('id')}": inner for inner in body.get("contained", [])}
    own = _identifiers(_read(work, requester.person) or {})
    return any(_is_person(work, author, contained, own) for author in _people(work, body.get("author", []), contained))


def _people(work: Work, authors: list[Json], contained: dict[str, Json]) -> Iterator[Json]:
    """Yield the references of authors, and for a practice situation the one of its person too."""
    for author in authors:
        yield author
        literal = str(author.get("reference", ""))
        resource = contained.get(literal) or _read(work, literal) or {}
        if resource.get("resourceType") == "PractitionerRole":
            yield resource.get("practitioner", {})


def _is_person(work: Work, named: Json, contained: dict[str, Json], own: Identifiers) -> bool:
    """Tell whether a reference names the person who calls: by id, or by an identifier of that person."""
    literal = str(named.get("reference", ""))
    target = pointers.split(literal, work.runtime.fhir_base)
    if target and "/".join(target) == work.caller.requester.person:
        return True
    resource = contained.get(literal, {})
    written = resource.get("identifier", []) if resource.get("resourceType") == "Practitioner" else []
    return bool(own & _identifiers({"identifier": [*written, named.get("identifier", {})]}))


def _read(work: Work, literal: str) -> Json | None:
    """Return a resource of the directory."""
    target = pointers.split(literal, work.runtime.fhir_base)
    if not target or target[0] not in ("Practitioner", "PractitionerRole"):
        return None
    found = work.snapshot.read(*target, DIRECTORY)
    return load_json(found.body) if found else None


def _identifiers(resource: Json) -> Identifiers:
    pairs = ((str(one.get("system", "")), str(one.get("value", ""))) for one in resource.get("identifier", []))
    return frozenset(pair for pair in pairs if all(pair))
