"""The index keys of a patient's traits: the family name with the birth date, and these two with one more trait.

No key holds one trait alone, so that the store shows neither how often a name nor how often a birth date occurs. Names
are folded: case, accents, hyphens, apostrophes and the order of their words make no difference.
Source: ANS, référentiel national d'identitovigilance (the traits of the INS service); https://profiles.ihe.net/ITI/PDQm;
docs/adr/0116-looking-up-by-traits.md.
"""

import re
from collections.abc import Iterator

from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.domain.search.tokens import fold
from fhir_server.domain.values import Json

BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_LETTERS = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PLACE = re.compile(r"\d[\dAB]\d{3}", re.ASCII)
_GENDERS = frozenset({"male", "female", "other", "unknown"})
_MOST_NAMES = 10
"""Names of a patient, and given names of a name, that are looked at: a body cannot make the index large."""


def name_key(name: str) -> str:
    """Return a name as it is compared: folded, its words in one order."""
    return " ".join(sorted(fold(name.translate(_LETTERS)).split()))


def keys_of(patient: Json) -> frozenset[str]:
    """Return the keys by which a patient is found; none without a whole birth date and a family name."""
    date = str(patient.get("birthDate", ""))
    if not _DATE.fullmatch(date):
        return frozenset()
    names = [name for name in patient.get("name", ())[:_MOST_NAMES] if isinstance(name, dict)]
    found: set[str] = set()
    for family in {key for name in names if (key := name_key(str(name.get("family", ""))))}:
        found.add(_key("name", family, date, ""))
        found.update(_key("given", family, date, given) for name in names for given in _given_of(name))
        found.update(_key("gender", family, date, gender) for gender in _gender(patient))
        found.update(_key("place", family, date, place) for place in _places(patient))
    return frozenset(found)


def keys_asked(patient: Json) -> frozenset[str]:
    """Return the keys that a patient must have, all of them, to match the stated traits; empty when too few are stated.

    A family name, a whole birth date, and a given name or the code of the birth place are the least.
    """
    date, names = str(patient.get("birthDate", "")), [one for one in patient.get("name", ()) if one.get("family")]
    family = name_key(str(names[0]["family"])) if names else ""
    given = name_key(" ".join(map(str, names[0].get("given", ())))) if names else ""
    places = [*_places(patient)][:1]
    if not (_DATE.fullmatch(date) and family and (given or places)):
        return frozenset()
    found = {_key("name", family, date, "")} | {_key("gender", family, date, one) for one in _gender(patient)}
    found |= {_key("given", family, date, given)} if given else set()
    return frozenset(found | {_key("place", family, date, place) for place in places})


def number_asked(patient: Json) -> tuple[str, str] | None:
    """Return the identifier (system, value) that is looked for, preferably a national one; None when none is stated."""
    numbers = [one for one in patient.get("identifier", ()) if one.get("system") and one.get("value")]
    numbers.sort(key=lambda one: one["system"] not in INS_SYSTEMS)
    return (str(numbers[0]["system"]), str(numbers[0]["value"])) if numbers else None


def contradicts(asked: Json, recorded: Json) -> bool:
    """Tell whether a stated trait differs from the recorded one: then a mistyped number is that of somebody else."""
    dates = str(asked.get("birthDate", "")), str(recorded.get("birthDate", ""))
    pairs = [
        ({dates[0]} - {""}, {dates[1]} - {""}),
        ({*_gender(asked)}, {*_gender(recorded)}),
        ({*_places(asked)}, {*_places(recorded)}),
        (_families(asked), _families(recorded)),
        ({*_first_given(asked)}, {given for name in recorded.get("name", ()) for given in _given_of(name)}),
    ]
    return any(stated and known and not stated & known for stated, known in pairs)


def _families(patient: Json) -> set[str]:
    return {name_key(str(name.get("family", ""))) for name in patient.get("name", ())[:_MOST_NAMES]} - {""}


def _first_given(patient: Json) -> Iterator[str]:
    """Yield the given names of the first HumanName as one text, as `keys_asked` compares them."""
    for name in patient.get("name", ())[:1]:
        yield from filter(None, [name_key(" ".join(map(str, name.get("given", ()))))])


def is_whole(patient: Json) -> bool:
    """Tell whether all five traits are stated: family name, given name, birth date, sex, code of the birth place."""
    named = any(name.get("family") and name.get("given") for name in patient.get("name", ()))
    return named and bool(keys_asked(patient)) and any(_gender(patient)) and any(_places(patient))


def _key(trait: str, family: str, date: str, value: str) -> str:
    return f"match:{trait}|{family}|{date}|{value}"


def _given_of(name: Json) -> Iterator[str]:
    """Yield the given names by which somebody may be called: each alone, and the first ones together."""
    given = [str(one) for one in name.get("given", ())[:_MOST_NAMES] if isinstance(one, str)]
    yield from filter(None, map(name_key, given))
    yield from (name_key(" ".join(given[:size])) for size in range(2, len(given) + 1))


def _gender(patient: Json) -> Iterator[str]:
    gender = patient.get("gender")
    if isinstance(gender, str) and gender in _GENDERS:
        yield gender


def _places(patient: Json) -> Iterator[str]:
    """Yield the codes of the birth place: codes of INSEE in the extensions of the address of the birth place."""
    for extension in patient.get("extension", ()):
        if isinstance(extension, dict) and extension.get("url") == BIRTH_PLACE:
            address = extension.get("valueAddress", {})
            yield from (code for one in address.get("extension", ()) if (code := _code(one)))


def _code(extension: Json) -> str:
    value = extension.get("valueCoding", {}).get("code") or extension.get("valueCode") or extension.get("valueString")
    return value if isinstance(value, str) and _PLACE.fullmatch(value) else ""
