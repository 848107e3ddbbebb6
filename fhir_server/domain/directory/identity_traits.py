"""The identity traits of a patient: all that is shown to somebody who may look patients up and has no other ground.

The traits are enough to be sure of the person before asking for consent, and no more: no address, no telecom, no
relatives, no professional who treats the patient, and no identifier of another register.
Source: ANS, référentiel national d'identitovigilance (strict traits: number, names, birth date, sex, place of birth);
https://hl7.org/fhir/R4/resource.html#tag-subsetted.
"""

from datetime import date

import orjson

from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import Criterion, DateIs, Search
from fhir_server.domain.values import Json

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_TRAITS = frozenset({"resourceType", "id", "language", "active", "name", "gender", "birthDate", "modifierExtension"})
_EXTENSIONS = frozenset(
    {
        "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
        "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability",
    }
)
_SEARCHED = frozenset({"active", "birthdate", "family", "gender", "given", "name", "_lastUpdated"})


def are_asked_alone(search: Search, identifier: Criterion) -> bool:
    """Tell whether a search by an identifier has no other criteria than identity traits."""
    if any(one.param.name not in _SEARCHED for one in search.examined):
        return False
    return all(criterion is identifier or _names_of(criterion) <= _SEARCHED for criterion in search.criteria)


def traits_of(body: bytes, identifier: frozenset[str]) -> bytes:
    """Return a Patient with its identity traits only, tagged as incomplete.

    identifier: the lookup token that found the patient; its identifier is shown, as are national identifiers.
    """
    whole: Json = orjson.loads(body)
    kept: Json = {name: value for name, value in whole.items() if name.removeprefix("_") in _TRAITS}
    meta = {name: value for name, value in whole.get("meta", {}).items() if name in ("versionId", "lastUpdated")}
    kept["meta"] = meta | {"tag": [SUBSETTED]}
    kept["identifier"] = [one for one in whole.get("identifier", []) if _is_told(one, identifier)]
    kept["extension"] = [one for one in whole.get("extension", []) if one.get("url") in _EXTENSIONS]
    return orjson.dumps({name: value for name, value in kept.items() if value != []})


def _is_told(identifier: Json, sought: frozenset[str]) -> bool:
    system, value = str(identifier.get("system", "")), str(identifier.get("value", ""))
    return system in INS_SYSTEMS or tokens.identifier_key("identifier", system, value) == sought


def _names_of(criterion: Criterion) -> frozenset[str]:
    if isinstance(criterion, DateIs):
        return frozenset({criterion.param})
    marks = frozenset({"marks"}) if criterion.marks else frozenset[str]()
    return marks | frozenset(token.partition("|")[0] for token in criterion.tokens)


def birthday(born: date | None, age: int) -> date | None:
    """Return the day on which somebody reaches an age; a birthday on 29 February counts on 1 March in other years."""
    if born is None:
        return None
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)
