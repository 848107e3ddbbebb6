"""National patient numbers: with one, a person can be found in every register, so no address or text may contain it.

Source: ANS, identité nationale de santé: the four code systems of INS-NIR and INS-NIA, test ranges included;
R.115-1 of the French social security code for the form of the number.
"""

import re

INS_SYSTEMS = (
    "urn:oid:1.2.250.1.213.1.4.8",
    "urn:oid:1.2.250.1.213.1.4.9",
    "urn:oid:1.2.250.1.213.1.4.10",
    "urn:oid:1.2.250.1.213.1.4.11",
)
"""Code systems of the national health identity (INS-NIR, INS-NIA, and their test ranges)."""
_NUMBER = re.compile(r"[1-8]\d{4}(?:\d\d|2[AB])\d{6}(?:\d\d)?", re.IGNORECASE)
_SHORTEST = 13
"""The least number of characters."""
_BETWEEN = re.compile(r"[\s.\-]")


def names_patient(value: str) -> bool:
    """Tell whether a search value, or one of its alternatives, is a patient's number, with or without its system.

    Escapes and further `|` change nothing: a mistyped number is still somebody's.
    """
    return any(_holds_number(part.split("|")) for part in value.replace("\\", "").split(","))


def _holds_number(parts: list[str]) -> bool:
    filled = [part for part in parts if part]
    if len(filled) > 1 and any(part.casefold() in INS_SYSTEMS for part in filled):
        return True
    return any(len(part) >= _SHORTEST and _NUMBER.fullmatch(_BETWEEN.sub("", part)) for part in filled)
