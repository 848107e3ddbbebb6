"""What the directory and the register of patients say of two people, as values that are compared and never shown."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import orjson

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.access import IN_DIRECTORY
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.directory import professionals
from fhir_server.application.identity.accounts import find_by_person
from fhir_server.domain.detection.facts import Traits
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.domain.values import Json
from fhir_server.ports.store import Snapshot

_STEM = 10
"""Digits of a national number that people born in one place and month share: sex, year, month, place."""
_WORD = re.compile(r"[a-z0-9]+")
_NUMBER = re.compile(r"^\D*\d+\s*(bis|ter|quater)?\s*,?\s*", re.IGNORECASE)
_CALLED = frozenset({"phone", "sms"})
_PHONE_DIGITS = 9


def of_professional(runtime: Runtime, snapshot: Snapshot, person: str) -> Traits:
    """Return what is known of a professional. person: "Practitioner/…"."""
    type_, _, id_ = person.partition("/")
    stored = snapshot.read(type_, id_, IN_DIRECTORY) if type_ in IN_DIRECTORY.by_type else None
    known: Json = orjson.loads(stored.body) if stored and stored.body else {}
    return _traits((known,), *_workplaces(runtime, snapshot, person))


def of_holder(runtime: Runtime, snapshot: Snapshot, patient: PatientId) -> tuple[Traits, str | None]:
    """Return what is known of the holder of a space, and the stem of the national number."""
    stored = snapshot.read("Patient", patient, whole_space(ReadingReason.DETECTION, patient))
    known: Json = orjson.loads(stored.body) if stored and stored.body else {}
    contacts = [{"telecom": one.get("telecom", ())} for one in known.get("contact", ())]
    traits = _traits((known, *contacts), *_workplaces(runtime, snapshot, f"Patient/{patient}"))
    numbers = (str(one.get("value", "")) for one in known.get("identifier", ()) if one.get("system") in INS_SYSTEMS)
    return traits, next((number[:_STEM] for number in numbers if len(number) > _STEM), None)


def _workplaces(runtime: Runtime, snapshot: Snapshot, person: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return in which establishments and in which units of them the accounts of a person practise."""
    practices = [practice for account in find_by_person(runtime, person) for practice in account.practices]
    units = (professionals.units_of(snapshot, practice.role) for practice in practices if practice.role)
    return frozenset(practice.organization for practice in practices), frozenset().union(*units)


def _traits(known: Iterable[Json], employers: frozenset[str], teams: frozenset[str]) -> Traits:
    known = tuple(known)
    addresses = [one for resource in known for one in resource.get("address", ())]
    return Traits(
        names=frozenset(
            _plain(str(name["family"])) for one in known for name in one.get("name", ()) if "family" in name
        ),
        addresses=frozenset(found for one in addresses if (found := _address(one, whole=True))),
        streets=frozenset(found for one in addresses if (found := _address(one, whole=False))),
        phones=frozenset(_phones(known)),
        employers=employers,
        teams=teams,
    )


def _phones(known: Iterable[Json]) -> Iterator[str]:
    """Yield the last digits of telephone numbers, which country codes and spaces do not change."""
    for resource in known:
        for contact in resource.get("telecom", ()):
            digits = re.sub(r"\D", "", str(contact.get("value", "")))
            if contact.get("system") in _CALLED and len(digits) >= _PHONE_DIGITS:
                yield digits[-_PHONE_DIGITS:]


def _address(address: Json, *, whole: bool) -> str | None:
    """Return an address as one text, without its number unless it is to be whole; None when it names no street."""
    line = next((str(one) for one in address.get("line", ()) if one), "")
    place = str(address.get("postalCode") or address.get("city") or "")
    street = line if whole else _NUMBER.sub("", line)
    return f"{_plain(street)}|{_plain(place)}" if _plain(street) and place else None


def _plain(text: str) -> str:
    """Return a text without case, accents and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(one for one in decomposed if not unicodedata.combining(one))))
