"""One line of an insurer's file: the identity traits of an insured person, as a Patient or as a fault.

A line never becomes part of a fault: a report says in which column the fault is, and holds no number and no name.
Sources: ANS, référentiel national d'identitovigilance (the five traits and the number); R.115-1 of the French social
security code (form and control key of the number); docs/adr/0135-enrolment-from-a-file.md.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from fhir_server.domain.directory.identity_keys import BIRTH_PLACE
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.domain.values import Json

REQUIRED = ("number", "family", "given", "birth_date", "sex")
OPTIONAL = ("system", "birth_place")
_CODE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
_GENDERS = {"M": "male", "F": "female", "1": "male", "2": "female", "male": "male", "female": "female"}
_NUMBER = re.compile(r"[1-8]\d{4}(?:\d\d|2[AB])\d{8}", re.ASCII)
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)
_PLACE = re.compile(r"\d[\dAB]\d{3}", re.ASCII)
_NO_NAME = frozenset('"<>{}[]|\\0123456789')
_CORSICA = str.maketrans({"A": "0", "B": "0"})
_LESS = {"A": 1_000_000, "B": 2_000_000}
LONGEST_LINE = 4096
"""Most bytes of a line."""
_LONGEST = 100
"""Most characters of a value."""


class LineFault(Exception):
    """A line that enrols nobody. args: what is wrong, with the column and without the value."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file. number: 1 for the first line of the file. patient: None for a line with a fault."""

    number: int
    patient: Json | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the first line of a file says. names: of the columns in order. delimiter: between two values."""

    names: tuple[str, ...]
    delimiter: str

    @classmethod
    def of(cls, raw: bytes) -> "Columns":
        """Read the first line. Raises: LineFault when a column is missing, unknown or named twice."""
        line = _text(raw).removeprefix("\ufeff")
        delimiter = ";" if line.count(";") > line.count(",") else ","
        names = tuple(name.strip().lower() for name in _values(line, delimiter))
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            wanted = ", ".join(REQUIRED)
            raise LineFault(f"the first line must name the columns {wanted}; missing: {', '.join(missing)}")
        if set(names) - {*REQUIRED, *OPTIONAL} or len(set(names)) < len(names):
            known = ", ".join(REQUIRED + OPTIONAL)
            raise LineFault(f"the first line names an unknown column, or one twice; known columns: {known}")
        return cls(names, delimiter)

    def line(self, number: int, raw: bytes) -> Line:
        """Read any other line. number: its place in the file."""
        try:
            return Line(number, self._patient(_text(raw)))
        except LineFault as fault:
            return Line(number, None, str(fault))

    def _patient(self, line: str) -> Json:
        values = _values(line, self.delimiter)
        if len(values) != len(self.names):
            raise LineFault(f"there are {len(values)} values for {len(self.names)} columns")
        given = dict(zip(self.names, (value.strip() for value in values), strict=True))
        for name, value in given.items():
            if len(value) > _LONGEST or not value.isprintable():
                raise LineFault(f"{name}: a value has at most {_LONGEST} printable characters")
        return _patient(given)


def _text(raw: bytes) -> str:
    if len(raw) > LONGEST_LINE:
        raise LineFault(f"a line has at most {LONGEST_LINE} bytes")
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise LineFault("the line is not written in UTF-8") from None


def _values(line: str, delimiter: str) -> Sequence[str]:
    """Split one line; a quoted value cannot go on in the next line."""
    try:
        return next(csv.reader((line,), delimiter=delimiter, strict=True), ())
    except csv.Error:
        raise LineFault("a quotation mark is not closed, or stands inside a value") from None


def _patient(given: Mapping[str, str]) -> Json:
    system = given.get("system") or INS_SYSTEMS[0]
    patient: Json = {
        "resourceType": "Patient",
        "identifier": [{"use": "official", "system": _system(system), "value": _number(given["number"].upper())}],
        "active": True,
        "name": [{"use": "official", "family": _name("family", given["family"]), "given": _given(given["given"])}],
        "gender": _of("sex", given["sex"], _GENDERS.get, "M or F"),
        "birthDate": _of("birth_date", given["birth_date"], _date, "YYYY-MM-DD, YYYY-MM or YYYY"),
    }
    if given.get("birth_place"):
        code = _of("birth_place", given["birth_place"].upper(), _place, "a code of INSEE, such as 75056")
        known = {"url": _CODE, "valueCoding": {"code": code}}
        patient["extension"] = [{"url": BIRTH_PLACE, "valueAddress": {"extension": [known]}}]
    return patient


def _of(column: str, value: str, read: Callable[[str], str | None], wanted: str) -> str:
    found = read(value)
    if found is None:
        raise LineFault(f"{column}: must be {wanted}")
    return found


def _system(value: str) -> str:
    system = value if value.startswith("urn:oid:") else f"urn:oid:{value}"
    if system not in INS_SYSTEMS:
        raise LineFault("system: must be the OID of the national health identity, such as 1.2.250.1.213.1.4.8")
    return system


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise LineFault("number: must be thirteen characters and the two digits of the key, without spaces")
    department = value[6]
    body = int(value[:13].translate(_CORSICA)) - _LESS.get(department, 0)
    if 97 - body % 97 != int(value[13:]):
        raise LineFault("number: the key does not fit the number; one of the two is mistyped")
    return value


def _name(column: str, value: str) -> str:
    if not any(letter.isalpha() for letter in value) or not _NO_NAME.isdisjoint(value):
        raise LineFault(f"{column}: must be a name")
    return value


def _given(value: str) -> Iterable[str]:
    """Return given names, which a comma or a blank separates."""
    return [_name("given", part) for part in value.replace(",", " ").split()] or [_name("given", value)]


def _date(value: str) -> str | None:
    """Return a date, also one without day or month, as registers have them."""
    if not _DATE.fullmatch(value):
        return None
    try:
        date.fromisoformat((value + "-01-01")[:10] if len(value) < len("YYYY-MM-DD") else value)
    except ValueError:
        return None
    return value


def _place(value: str) -> str | None:
    return value if _PLACE.fullmatch(value) else None
