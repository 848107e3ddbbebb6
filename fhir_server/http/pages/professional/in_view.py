"""The patient in view: the identity traits by which a professional is sure of the person, once there is ground.

The name is kept for the session, so that not each page reads the identity again: the journal has a line for each time.
Source: ANS, référentiel national d'identitovigilance (strict traits).
"""

from dataclasses import dataclass
from datetime import date

from flask_babel import format_date

from fhir_server.application.reading import read
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import resource_of
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.request_context import options, runtime
from fhir_server.oauth.base import page_state
from fhir_server.oauth.base.page_state import Kept
from fhir_server.registry import PATIENT, REGISTRY

_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"


@dataclass(frozen=True, slots=True)
class PersonInWords:
    """The identity of a patient. birth: the day in words, "" when unknown. gender: an administrative gender of R4.

    place: where they were born, "" when unknown. numbers: their national numbers.
    """

    name: str
    birth: str
    gender: str
    place: str
    numbers: tuple[str, ...]


def person(visit: DeskVisit) -> PersonInWords:
    """Read the identity of the patient in view, and keep the name for the session. Raises: as a read of the Patient."""
    told = _tell(resource_of(read.read(runtime(), visit.caller, REGISTRY[PATIENT], visit.patient)))
    until = runtime().now() + options().session_absolute
    page_state.keep_within(runtime(), Kept.PATIENT_IN_VIEW, _place(visit), told.name, until)
    return told


def name(visit: DeskVisit) -> str:
    """Return the name of the patient in view; it is read when this session has not read it yet.

    Call it only after the caller was let in. Raises: as `person`.
    """
    return known(visit) or person(visit).name


def known(visit: DeskVisit) -> str:
    """Return the name of the patient in view as far as this session has read it, "" when it has not."""
    return page_state.kept(runtime(), Kept.PATIENT_IN_VIEW, " ".join(_place(visit))) or ""


def _place(visit: DeskVisit) -> tuple[str, str]:
    return visit.session.id, f"{visit.named['situation']} {visit.patient}"


def _tell(patient: Json) -> PersonInWords:
    birth = str(patient.get("birthDate", ""))
    extensions = (one for one in patient.get("extension", ()) if one.get("url") == _BIRTH_PLACE)
    place: Json = next((one.get("valueAddress", {}) for one in extensions), {})
    numbers = (one for one in patient.get("identifier", ()) if one.get("system") in INS_SYSTEMS)
    return PersonInWords(
        name=name_of({"reference": "#"}, {"#": patient}),
        birth=format_date(date.fromisoformat(birth), "long") if len(birth) == len("2026-01-31") else birth,
        gender=str(patient.get("gender", "")),
        place=str(place.get("text") or place.get("city") or place.get("district") or ""),
        numbers=tuple(str(one.get("value", "")) for one in numbers),
    )
