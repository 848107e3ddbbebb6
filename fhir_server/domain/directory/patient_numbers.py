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
    """Tell whether a search value, or one of its alternatives, is a patient's number, with or without its system."""
    return any(_is_number(*part.rpartition("|")[::2]) for part in value.split(","))


def _is_number(system: str, code: str) -> bool:
    if len(code) < _SHORTEST:
        return bool(code) and system.casefold() in INS_SYSTEMS
    return system.casefold() in INS_SYSTEMS or bool(_NUMBER.fullmatch(_BETWEEN.sub("", code)))
