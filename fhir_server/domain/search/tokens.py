"""Canonical search tokens: resources are indexed under the same strings that a search asks for.

Stores keep only keyed hashes of these strings. A value that contains `|` or starts with `*` is escaped, so that no
value can be read as a wildcard.

Source: https://hl7.org/fhir/R4/search.html#token, #reference, #string and #uri.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

PROFESSION_SYSTEM = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
WORD_PREFIX = 24
"""Longest prefix under which a word inside a string is found."""
WHOLE_PREFIX = 40
"""Longest prefix under which a whole string is found."""

_NOT_WORD = re.compile(r"[\W_]+")


@lru_cache(8192)
def token(name: str, system: str, code: str) -> frozenset[str]:
    """Return the tokens of a coded value: by system and code, by code alone, by system alone."""
    found = {exact_token(name, system, code), any_system(name, code)}
    if system:
        found.add(any_code(name, system))
    return frozenset(found)


def exact_token(name: str, system: str, code: str) -> str:
    """Return the token of `system|code`, and of `|code` when the system is empty."""
    return f"{name}|{_part(system)}|{_part(code)}"


def any_system(name: str, code: str) -> str:
    """Return the token of a code in any system."""
    return f"{name}|*|{_part(code)}"


def any_code(name: str, system: str) -> str:
    """Return the token of any code in a system."""
    return f"{name}|{_part(system)}|*"


def identifier_key(name: str, system: str, value: str) -> frozenset[str]:
    """Return the one lookup token of an identifier."""
    return frozenset({exact_token(name, system, value)})


def reference(name: str, target: str) -> frozenset[str]:
    """Return the tokens of a literal reference: `Type/id` also by id alone; a URL or URN by itself."""
    literal = target.split("/_history/", 1)[0]
    found = {f"{name}|ref|{literal}"}
    parts = literal.split("/")
    if len(parts) == 2:  # noqa: PLR2004 - a relative reference is Type/id
        found.add(reference_by_id(name, parts[1]))
    return frozenset(found)


def reference_by_id(name: str, id_: str) -> str:
    """Return the token of a relative reference whose type is not given."""
    return f"{name}|ref|*/{id_}"


def reference_identifier(name: str, system: str, value: str) -> frozenset[str]:
    """Return the tokens of a logical reference."""
    return token(f"{name}:identifier", system, value)


@lru_cache(1024)
def string(name: str, value: str, *, words: bool = True) -> frozenset[str]:
    """Return the tokens of a text: the text itself, its prefixes, and the prefixes that start at each of its words.

    words: False for prose, which R4 finds by its beginning only, and whose words would make the index too large.
    """
    folded = fold(value)
    found = {prefix_token(name, folded[:size]) for size in range(1, min(len(folded), WHOLE_PREFIX) + 1)}
    for start in _word_starts(folded) if words else ():
        rest = folded[start:]
        found.update(prefix_token(name, rest[:size]) for size in range(1, min(len(rest), WORD_PREFIX) + 1))
    return frozenset(found | {f"{name}|=|{value}"})


def prefix_token(name: str, folded: str) -> str:
    """Return the token of a folded prefix."""
    return f"{name}|~|{folded}"


def exact_string(name: str, value: str) -> str:
    """Return the token of a text compared as it is."""
    return f"{name}|=|{value}"


def uri(name: str, value: str) -> frozenset[str]:
    """Return the token of a URI, compared as it is."""
    return frozenset({f"{name}|uri|{value}"})


def present(name: str) -> str:
    """Return the token of a parameter that has a value."""
    return f"{name}|?"


def fold(value: str) -> str:
    """Return a text without case, accents and punctuation, with one space between words."""
    lowered = unicodedata.normalize("NFKD", value).casefold()  # styled letters become plain letters before case folding
    bare = "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFC", bare)).strip()


def _word_starts(folded: str) -> Iterator[int]:
    return (place + 1 for place, char in enumerate(folded) if char == " ")


def _part(value: str) -> str:
    """Escape the characters that make a value ambiguous; ordinary values do not change."""
    if "|" not in value and "\\" not in value and not value.startswith("*"):
        return value
    escaped = value.replace("\\", "\\\\").replace("|", "\\|")
    return f"\\{escaped}" if escaped.startswith("*") else escaped
