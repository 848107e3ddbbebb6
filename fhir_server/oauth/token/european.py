"""What the EU Health Data API asks of registered software: its scopes, its keys, and how it names who reads.

The guide spells scopes as neither version of SMART does: `.search`, `.read` (by id alone) and `.create`. The answer has
the letters of version 2. IUA claims name who reads; this person is judged like one whom `hl7-b2b` names (ADR 133).
Sources: HL7 Europe, EU Health Data API 1.0.0-ballot, authorization (http://hl7.eu/fhir/health-data-api); IHE IUA,
ITI-71, JWT Access Token claims (https://profiles.ihe.net/ITI/IUA/).
"""

import re
from collections.abc import Mapping

from fhir_server.domain.values import Json

IUA = "ihe_iua"
"""The extension of a JWT in which IUA names the user."""
_SPELLED = re.compile(r"(system/(?:\*|[A-Z][A-Za-z]*))\.(search|read|create)((?:\?.+)?)")
_LETTERS = {"search": "s", "read": "r", "create": "c"}


def in_letters(scopes: str) -> str:
    """Return a scope string with the letters of SMART 2 in each scope that is spelled as the guide spells it."""
    return " ".join(_in_letters(word) for word in scopes.split())


def _in_letters(word: str) -> str:
    match = _SPELLED.fullmatch(word)
    return f"{match[1]}.{_LETTERS[match[2]]}{match[3]}" if match else word


def for_named_person(scopes: str) -> str:
    """Return the scopes of a request that names a professional: `system/` becomes `user/`, as this person reads."""
    words = (f"user/{word.removeprefix('system/')}" if word.startswith("system/") else word for word in scopes.split())
    return " ".join(dict.fromkeys(words))


def named_by_iua(extensions: Mapping[str, object]) -> Json | None:
    """Return the user of IUA claims as an `hl7-b2b` object, None without these claims.

    The user is the one of `national_provider_identifier`; a purpose is a Coding or a code.
    """
    claims = extensions.get(IUA)
    if not isinstance(claims, dict):
        return None
    stated = claims.get("purpose_of_use", ["TREAT"])
    purposes = stated if isinstance(stated, list) else [stated]
    codes = [one.get("code") if isinstance(one, dict) else one for one in purposes]
    return {
        "version": "1",
        "subject_id": claims.get("national_provider_identifier", ""),
        "purpose_of_use": codes,
    }
