"""What Pro Santé Connect says about a professional, from its userinfo; unreadable parts are ignored.

Source: claims of Pro Santé Connect (SubjectNameID, SubjectRefPro), https://industriels.esante.gouv.fr.
"""

import re
from dataclasses import dataclass

from fhir_server.application.identity.accounts import PractitionerRoleRef
from fhir_server.domain.values import Json
from fhir_server.oauth.upstream.metadata import ProviderError

_RPPS = re.compile(r"8[0-9]{11}")
"""A national identifier of the RPPS: the digit 8, then eleven digits. Other identifiers are not of professionals."""
_STRUCTURES = (
    "numeroFinessSite", "numeroFinessetablissementJuridique", "numeroSiretSite", "identifiantTechniqueDeLaStructure",
)  # fmt: skip
_TEXT = 200


@dataclass(frozen=True, slots=True)
class Exercise:
    """One profession that the person practises. structures: numbers of the places; empty when it names none."""

    profession: str
    specialty: str
    structures: frozenset[str]

    def confirms(self, practice: PractitionerRoleRef, numbers: frozenset[str]) -> bool:
        """Tell whether this statement confirms a practice situation of the directory.

        numbers: of the establishment in the directory. Profession must agree, and specialty if the directory has one;
        the establishment must agree only when both sides name one.
        """
        if practice.profession != self.profession or practice.specialty not in {"", self.specialty}:
            return False
        return not numbers or not self.structures or bool(numbers & self.structures)


@dataclass(frozen=True, slots=True)
class Professional:
    """One health professional, as the national directory describes them."""

    national_id: str
    name: str
    exercises: tuple[Exercise, ...]


def read(person: Json) -> Professional:
    """Read a userinfo.

    Raises: ProviderError when it is not about a professional with an RPPS number.
    """
    number = _text(person, "SubjectNameID") or _text(person, "preferred_username")
    if not _RPPS.fullmatch(number) or _text(person, "preferred_username") not in {"", number}:
        raise ProviderError("no-professional")
    reference = person.get("SubjectRefPro")
    listed = reference.get("exercices") if isinstance(reference, dict) else None
    exercises = tuple(_exercise(item) for item in _objects(listed))
    if not any(item.profession for item in exercises):
        raise ProviderError("no-professional")
    name = " ".join(filter(None, (_text(person, "given_name"), _text(person, "family_name"))))
    return Professional(number, name, exercises)


def means_of(person: Json) -> tuple[str, ...]:
    """Return how the person proved who they are, as values of `amr` (RFC 8176): "sc" for a card, else nothing."""
    return ("sc",) if _text(person, "authMode").upper() == "CARD" else ()


def _exercise(item: Json) -> Exercise:
    activities = _objects(item.get("activities"))
    numbers = (_text(activity, name) for activity in activities for name in _STRUCTURES)
    return Exercise(_text(item, "codeProfession"), _text(item, "codeSavoirFaire"), frozenset(filter(None, numbers)))


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(source: Json, name: str) -> str:
    value = source.get(name)
    return value[:_TEXT] if isinstance(value, str) else ""
