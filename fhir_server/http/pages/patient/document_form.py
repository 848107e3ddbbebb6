"""The form by which a patient files a document of their own: its fields, what is wrong with them, and what is sent.

What is sent is the publication of an app (ITI-105), with the type of the file as its first bytes tell it.
Source: rules J4 to J7; IHE MHD ITI-105 (https://profiles.ihe.net/ITI/MHD/ITI-105.html).
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha1
from typing import Any, Self
from uuid import uuid4

from flask_babel import gettext, lazy_gettext
from werkzeug.datastructures import FileStorage

from consent_rules.matrix.table import DocumentKind, Matrix
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import PatientId
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY, TRE_A07
from fhir_server.domain.terminology.code_systems import code_systems
from fhir_server.domain.values import Json
from fhir_server.http.pages.language import current_language, local, zone

_LONGEST_TITLE = 120
_URI = "urn:ietf:rfc:3986"
_FORMAT = {"system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
           "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient"}  # fmt: skip
_BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
)
_TEXT = "text/plain"
_WRONG = {
    "file": lazy_gettext("“File”: choose a file."),
    "format": lazy_gettext("“File”: choose a PDF, a JPEG or TIFF picture, or a text."),
    "title": lazy_gettext("“Title”: write what the document is."),
    "kind": lazy_gettext("“Kind”: choose one of the list."),
    "date": lazy_gettext("“Date”: give a day that is not in the future, such as 2026-01-31."),
}
MINORS = lazy_gettext("“Kind”: a minor cannot have advance directives.")


@dataclass(frozen=True, slots=True)
class DocumentForm:
    """What the form holds. problems: what is wrong with a field, by its name. type: of the content, "" when unknown.

    at: the instant that the document states, None while the day is wrong.
    """

    title: str
    kind: str
    day: str
    hidden: bool
    problems: Mapping[str, Any]
    content: bytes = b""
    type: str = ""
    at: datetime | None = None

    @classmethod
    def empty(cls, now: datetime, *, title: str = "", kind: str = "") -> Self:
        """Return a new form, with today as the day."""
        return cls(title, kind, local(now).date().isoformat(), hidden=False, problems={})

    @classmethod
    def read(
        cls, sent: Mapping[str, str], file: FileStorage | None, now: datetime, profile: RuleProfile, matrix: Matrix
    ) -> Self:
        """Read what was sent, and look at the first bytes of the file."""
        title, kind, day = (sent.get(name, "").strip()[:_LONGEST_TITLE] for name in ("title", "kind", "date"))
        content = file.stream.read(profile.patient_file_size + 1) if file else b""
        type_, at = _type_of(content), _instant(day, now)
        wrong: dict[str, Any] = {} if content else {"file": _WRONG["file"]}
        if len(content) > profile.patient_file_size:
            most = most_megabytes(profile)
            wrong["file"] = gettext("“File”: this file is larger than %(size)s MB. Choose a smaller one.", size=most)
        elif content and type_ not in profile.patient_formats:
            wrong["file"] = _WRONG["format"]
        faults = {"title": not title, "kind": kind not in dict(kinds(matrix)), "date": at is None}
        wrong |= {name: _WRONG[name] for name, is_wrong in faults.items() if is_wrong}
        return cls(title, kind, day, sent.get("hidden") == "1", wrong, content, type_, at)

    def publication(self, patient: PatientId, person: str, known: DocumentKind, replaces: str = "") -> Json:
        """Return the body of ITI-105. person: reference of who files. replaces: id of an earlier document."""
        written = self.at.isoformat(timespec="seconds") if self.at else ""
        marks = [_concept(TRE_A07, "MASQUE_PS")] if self.hidden else []
        resource: Json = {
            "resourceType": "DocumentReference",
            "masterIdentifier": {"system": _URI, "value": f"urn:uuid:{uuid4()}"},
            "status": "current",
            "type": _concept(known.system, self.kind, known.label_fr),
            "category": [_concept(_classes(), known.category)],
            "subject": {"reference": f"Patient/{patient}"},
            "date": written,
            "author": [{"reference": person}],
            "securityLabel": [_concept(CONFIDENTIALITY, "N"), *marks],
            "content": [{"attachment": self._attachment(written), "format": _FORMAT}],
        }
        if replaces:
            target = {"reference": f"DocumentReference/{replaces}"}
            resource["relatesTo"] = [{"code": "replaces", "target": target}]
        return resource

    def _attachment(self, written: str) -> Json:
        digest = sha1(self.content, usedforsecurity=False).digest()
        return {
            "contentType": self.type,
            "language": current_language(),
            "data": b64encode(self.content).decode(),
            "size": len(self.content),
            "hash": b64encode(digest).decode(),
            "title": self.title,
            "creation": written,
        }


def kinds(matrix: Matrix) -> list[tuple[str, str]]:
    """Return the kinds that a patient may file, code and words, in the order of the words."""
    own = [(code, kind) for code, kind in matrix.kinds.items() if kind.author == "patient"]
    is_french = current_language() == "fr"
    return sorted(((code, kind.label_fr if is_french else kind.label_en) for code, kind in own), key=lambda one: one[1])


def most_megabytes(profile: RuleProfile) -> int:
    """Return the size of the largest file, rounded down, at least 1."""
    return max(1, profile.patient_file_size // (1024 * 1024))


def _type_of(content: bytes) -> str:
    """Return the media type that the first bytes tell, "" when they tell none that a patient files."""
    found = next((type_ for start, type_ in _BEGINNINGS if content.startswith(start)), "")
    if found or b"\0" in content:
        return found
    try:
        content.decode()
    except UnicodeDecodeError:
        return ""
    return "" if content.lstrip()[:1] == b"<" else _TEXT


def _instant(day: str, now: datetime) -> datetime | None:
    """Return noon of a day in the time zone of pages, now for today; None for a wrong day and for one to come."""
    today = local(now)
    try:
        named = date.fromisoformat(day)
    except ValueError:
        return None
    if named > today.date() or named.isoformat() != day:
        return None
    return today if named == today.date() else datetime.combine(named, time(12), zone())


def _concept(system: str, code: str, display: str = "") -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}


def _classes() -> str:
    return next(url for url in code_systems() if "TRE_A03-" in url)
