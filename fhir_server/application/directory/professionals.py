"""Professionals in the directory: who has a national number, and in which situations they practise.

Source: the FHIR directory resources Practitioner, PractitionerRole and Organization; RPPS numbers as the French core
profiles write them (https://hl7.fr/ig/fhir/core).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from consent_rules.model import Requester
from consent_rules.vocabulary import Capacity
from fhir_server.application.core.access import IN_DIRECTORY
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.domain.commands import query
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.ports.store import Snapshot

_RPPS, _NATIONAL = "https://rpps.esante.gouv.fr", "urn:oid:1.2.250.1.71.4.2.1"
_PROFESSIONS = frozenset({tokens.PROFESSION_SYSTEM, "urn:oid:1.2.250.1.213.1.1.5.5"})
CAPACITY = "urn:habilis:capacity"
"""Code system of PractitionerRole.code for a post that changes the rules (C14, I4)."""
_KNOW_HOW = frozenset({
    "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale",
    "urn:oid:1.2.250.1.213.2.28",
})  # fmt: skip
_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One professional of the directory. person: "Practitioner/…"."""

    person: str
    display: str
    practices: tuple[PractitionerRoleRef, ...]


def find_professional(runtime: Runtime, national_id: str) -> Entry | None:
    """Return who has a national number ("8" and the RPPS number), None when no active professional has it."""
    with runtime.ports.store.snapshot() as snapshot:
        found = _search(snapshot, "Practitioner", tokens.identifier_key("identifier", _NATIONAL, national_id))
        found = found or _search(snapshot, "Practitioner", tokens.identifier_key("identifier", _RPPS, national_id[1:]))
        if len(found) != 1 or found[0].get("active") is False:
            return None
        person = f"Practitioner/{found[0]['id']}"
        roles = _search(snapshot, "PractitionerRole", tokens.reference("practitioner", person))
        now = runtime.ports.clock.now()
        practices = [_practice(snapshot, role) for role in roles if _is_in_force(role, now)]
        return Entry(person, name_of(found[0]), tuple(sorted(filter(None, practices), key=lambda item: item.role)))


@query
def practice_of(runtime: Runtime, role: Json) -> PractitionerRoleRef | None:
    """Return the practice situation that a PractitionerRole states; None when it has ended or names no profession."""
    if not _is_in_force(role, runtime.ports.clock.now()):
        return None
    with runtime.ports.store.snapshot() as snapshot:
        return _practice(snapshot, role)


@query
def situations_of(runtime: Runtime, account: Account) -> tuple[PractitionerRoleRef, ...]:
    """Return the practice situations of an account that are in force, as the directory states them now.

    A situation in the directory counts if it is in force, names this person, and was recorded by the operator, not by
    an establishment. A situation that only the account knows also counts: the operator's command line wrote it.
    """
    with runtime.ports.store.snapshot() as snapshot:
        now = runtime.ports.clock.now()
        return tuple(filter(None, (_situation(snapshot, account, practice, now) for practice in account.practices)))


@query
def vouches(runtime: Runtime, requester: Requester) -> bool:
    """Tell whether the directory still says what software says of the professional in whose name it acts (V6).

    A situation that the directory does not have was given to the account by the operator at the command line: it counts
    unless the directory says that the person has left.
    """
    with runtime.ports.store.snapshot() as snapshot:
        stored = snapshot.read("PractitionerRole", requester.role.partition("/")[2], IN_DIRECTORY)
        if stored is None:
            return not _has_left(snapshot, requester.person)
        current = _current(snapshot, stored, requester.person, runtime.ports.clock.now())
    said = (requester.organization, requester.profession)
    return current is not None and (current.organization, current.profession) == said


def _current(snapshot: Snapshot, stored: Stored, person: str, now: datetime) -> PractitionerRoleRef | None:
    """Return a stored situation of a person as it is now; None when it has ended or the operator did not record it."""
    if stored.deleted or stored.facts.access.owner_organization or _has_left(snapshot, person):
        return None
    role: Json = orjson.loads(stored.body)
    is_of_person = role.get("practitioner", {}).get("reference") == person
    return _practice(snapshot, role) if is_of_person and _is_in_force(role, now) else None


def _situation(
    snapshot: Snapshot, account: Account, practice: PractitionerRoleRef, now: datetime
) -> PractitionerRoleRef | None:
    stored = snapshot.read("PractitionerRole", practice.role.partition("/")[2], IN_DIRECTORY) if practice.role else None
    if stored is None:
        return practice
    current = _current(snapshot, stored, account.person, now)
    if current is None:
        return None
    place = current.organization_display or practice.organization_display
    return replace(current, label=practice.label or current.label, organization_display=place)


def professions_of(snapshot: Snapshot, person: str, organization: str, now: datetime) -> frozenset[str]:
    """Return the professions in which a person practises in an establishment, as the directory says now.

    Only situations that the operator of the directory recorded count. person: "Practitioner/…".
    organization: "Organization/…".
    """
    professions = (_profession(role) for role in _roles_there(snapshot, person, organization, now))
    return frozenset(str(profession["code"]) for profession in professions if profession)


def names_in(snapshot: Snapshot, person: str, organization: str, now: datetime) -> frozenset[str]:
    """Return the references of a person who practises in an establishment now: the person's own and each situation's.

    None of them for a person who has left. Situations count as in `professions_of`.
    """
    roles = [] if _has_left(snapshot, person) else _roles_there(snapshot, person, organization, now)
    situations = frozenset(f"PractitionerRole/{role['id']}" for role in roles if _profession(role))
    return situations | {person} if situations else situations


def units_in(snapshot: Snapshot, person: str, organization: str, now: datetime) -> frozenset[str]:
    """Return in which units ("HealthcareService/…") of an establishment a person practises now."""
    return frozenset(unit for role in _roles_there(snapshot, person, organization, now) for unit in _units(role))


def units_of(snapshot: Snapshot, role: str) -> frozenset[str]:
    """Return the units that a practice situation names. role: "PractitionerRole/…"."""
    stored = snapshot.read("PractitionerRole", role.partition("/")[2], IN_DIRECTORY)
    return frozenset(_units(orjson.loads(stored.body))) if stored and stored.body else frozenset()


def _units(role: Json) -> Iterator[str]:
    yield from (str(unit["reference"]) for unit in role.get("healthcareService", ()) if "reference" in unit)


def _roles_there(snapshot: Snapshot, person: str, organization: str, now: datetime) -> list[Json]:
    wanted = Search("PractitionerRole", (AnyOf(tokens.reference("practitioner", person)),), limit=_LIMIT)
    rows = [row for row in snapshot.find(wanted, IN_DIRECTORY).rows if not row.facts.access.owner_organization]
    roles = [orjson.loads(row.body) for row in rows]
    there = [role for role in roles if role.get("organization", {}).get("reference") == organization]
    return [role for role in there if _is_in_force(role, now)]


def _has_left(snapshot: Snapshot, person: str) -> bool:
    return has_left(snapshot.read("Practitioner", person.partition("/")[2], IN_DIRECTORY))


def has_left(stored: Stored | None) -> bool:
    """Tell whether the directory says that a person no longer practises. stored: the person's entry, None for none."""
    return stored is not None and (stored.deleted or orjson.loads(stored.body).get("active") is False)


def numbers_of(runtime: Runtime, organization: str) -> frozenset[str]:
    """Return the identifiers of an establishment ("Organization/…"), whatever their system."""
    with runtime.ports.store.snapshot() as snapshot:
        found = _organization(snapshot, organization)
    return frozenset(str(item.get("value", "")) for item in found.get("identifier", ())) - {""}


def _practice(snapshot: Snapshot, role: Json) -> PractitionerRoleRef | None:
    profession = _profession(role)
    organization = str(role.get("organization", {}).get("reference", ""))
    if not profession:
        return None
    place = str(_organization(snapshot, organization).get("name", ""))
    label = ", ".join(filter(None, (profession.get("display", profession["code"]), place)))
    name, post = f"PractitionerRole/{role['id']}", _capacity(role)
    return PractitionerRoleRef(name, organization, place, profession["code"], _specialty(role), label, post)


def _profession(role: Json) -> Json:
    """Return the coding of the profession that a situation states, {} for none."""
    return next(filter(None, (_coding(code) for code in role.get("code", ()))), {})


def _specialty(role: Json) -> str:
    """Return the know-how (*savoir-faire*) of a role; codes of other terminologies cannot be compared with these."""
    codings = (coding for concept in role.get("specialty", ()) for coding in concept.get("coding", ()))
    return next((str(item.get("code", "")) for item in codings if item.get("system") in _KNOW_HOW), "")


def _capacity(role: Json) -> Capacity:
    """Return the post that a role states beside its profession; an unknown post counts as none."""
    codings = (coding for concept in role.get("code", ()) for coding in concept.get("coding", ()))
    stated = {str(coding.get("code", "")) for coding in codings if coding.get("system") == CAPACITY}
    return next((capacity for capacity in Capacity if capacity and capacity in stated), Capacity.NONE)


def _coding(concept: Json) -> Json:
    return next((item for item in concept.get("coding", ()) if item.get("system") in _PROFESSIONS), {})


def _is_in_force(role: Json, now: datetime) -> bool:
    end = str(role.get("period", {}).get("end", ""))
    return role.get("active") is not False and (not end or end[:10] >= now.astimezone(UTC).date().isoformat())


def _organization(snapshot: Snapshot, reference: str) -> Json:
    stored = snapshot.read("Organization", reference.removeprefix("Organization/"), IN_DIRECTORY) if reference else None
    body: Json = orjson.loads(stored.body) if stored and stored.body else {}
    return body


def _search(snapshot: Snapshot, type_: str, wanted: frozenset[str]) -> list[Json]:
    page = snapshot.find(Search(type_, (AnyOf(wanted),), limit=_LIMIT), IN_DIRECTORY)
    return [orjson.loads(row.body) | {"id": row.id} for row in page.rows]


def name_of(resource: Json) -> str:
    """Return the name of a Practitioner, a Patient or an Organization as one text, "" when it has none."""
    if isinstance(resource.get("name"), str):
        return str(resource["name"])
    name: Json = next(iter(resource.get("name", ())), {})
    parts = (*name.get("prefix", ()), *name.get("given", ()), name.get("family", ""))
    return str(name.get("text") or " ".join(filter(None, parts)))
