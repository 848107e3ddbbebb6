"""What an archive's documents and choices become when the patient brings them to another server.

A document keeps its number, type, class, dates, title, content and marks. Its author becomes the patient, and its
description says where it comes from and whom the archive names as its authors: nobody here can check that.
Source: HL7 v3 ObservationValue `PATRPT` (patient reported), https://terminology.hl7.org/CodeSystem-v3-ObservationValue;
docs/adr/0150-bringing-a-copy-of-a-space.md.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping

from consent_rules.vocabulary import Mark
from fhir_server.domain.documents.security_labels import mark_of
from fhir_server.domain.values import Json

NUMBERED = "urn:habilis:space-archive"
"""System of the identifier of a choice that was brought: the server and the id that it comes from."""
REPORTED = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "code": "PATRPT",
            "display": "patient reported",
        }
    ]
}
"""The security label of a document that was brought: every reader sees it."""
_KEPT = ("language", "masterIdentifier", "type", "category", "date")
_OF_CONTEXT = ("event", "period", "facilityType", "practiceSetting")
_OF_ATTACHMENT = ("contentType", "language", "title", "creation", "size", "hash")
_OF_CONSENT = ("id", "meta", "text", "patient", "performer", "organization", "identifier", "verification", "source")
_LONGEST = 500


class Unbrought(Exception):
    """A resource of an archive that cannot be brought; the text says why."""


def document(resource: Json, patient: str, content: bytes, origin: str) -> Json:
    """Return the document to file, with its content inside. origin: the server that made the archive.

    Raises: Unbrought.
    """
    contents = resource.get("content") or [{}]
    attachment = contents[0].get("attachment", {})
    kept = {name: resource[name] for name in _KEPT if name in resource}
    inner = {name: attachment[name] for name in _OF_ATTACHMENT if name in attachment}
    context = {name: value for name, value in resource.get("context", {}).items() if name in _OF_CONTEXT}
    names = ", ".join(dict.fromkeys(_authors(resource))) or "nobody"
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        **kept,
        "subject": {"reference": f"Patient/{patient}"},
        "author": [{"reference": f"Patient/{patient}"}],
        "description": f"Brought by the patient from {origin}. Author according to the archive: {names}"[:_LONGEST],
        "securityLabel": [*_labels(resource), REPORTED],
        "content": [
            {
                "attachment": inner | {"data": b64encode(content).decode()},
                **{name: contents[0][name] for name in ("format",) if name in contents[0]},
            }
        ],
        **({"context": context} if context else {}),
    }


def consent(resource: Json, patient: str, performer: str, origin: str, located: Callable[[str], str | None]) -> Json:
    """Return the choice to record. located: the reference here of a reference in the archive, None when unknown.

    Raises: Unbrought for a choice that names somebody or something that is not here.
    """
    kept = {name: value for name, value in resource.items() if not name.startswith(_OF_CONSENT)}
    return kept | {
        "identifier": [{"system": NUMBERED, "value": number_of(resource, origin)}],
        "patient": {"reference": f"Patient/{patient}"},
        "performer": [{"reference": performer}],
        "provision": _provision(resource.get("provision", {}), located),
    }


def number_of(resource: Json, origin: str) -> str:
    """Return by what a choice that was brought is known again."""
    return f"{origin}/Consent/{resource.get('id', '')}"


def _provision(provision: Json, located: Callable[[str], str | None]) -> Json:
    found = dict(provision)
    for name in ("actor", "data"):
        if name in provision:
            found[name] = [_moved(one, located) for one in provision[name]]
    if "provision" in provision:
        found["provision"] = [_provision(one, located) for one in provision["provision"]]
    return found


def _moved(part: Json, located: Callable[[str], str | None]) -> Json:
    if "reference" not in part:  # a profession, or everybody
        return part
    here = located(str(part["reference"].get("reference", "")))
    if here is None:
        raise Unbrought("it names somebody or a document that this server does not know")
    return part | {"reference": {"reference": here}}


def _labels(resource: Json) -> Iterator[Json]:
    """Yield the labels without the mark that only who treats may set (E9): the patient has seen the document."""
    for label in resource.get("securityLabel", ()):
        codings = [one for one in label.get("coding", ()) if mark_of(one) is not Mark.INVISIBLE_PATIENT]
        if codings:
            yield label | {"coding": codings}


def _authors(resource: Json) -> Iterator[str]:
    contained: Mapping[str, Json] = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    for author in resource.get("author", ()):
        inner = contained.get(str(author.get("reference", "")), {})
        names = inner.get("name") or [{}]
        first = names if isinstance(names, str) else " ".join((*names[0].get("given", ()), names[0].get("family", "")))
        told = str(author.get("display") or first).strip()
        if told:
            yield told
