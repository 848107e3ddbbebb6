"""Which passwords are accepted: long ones that are neither well known nor made of the person's name or user name.

The rules demand no mixture of characters and no regular change: such demands make passwords worse.
Source: NIST SP 800-63B-4, 3.1.1.2 (15 characters where a password may be the only factor, a list of known ones,
words of the context); https://pages.nist.gov/800-63-4/sp800-63b.html.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path

SHORTEST, LONGEST = 15, 256
_LEFT_AT_LEAST = 8
"""Letters and digits that must be left after removing everything that is easy to guess."""
_SHORTEST_WORD, _RUN = 3, 4
_SERVICE = ("habilis",)
_LOOKALIKES = str.maketrans("013457@$!", "oieastasi")
_OWN_LIST = Path(__file__).parents[2] / "data" / "common-passwords.txt"


class Weakness(StrEnum):
    """Why a password is not accepted; the values are texts for people."""

    SHORT = f"must have at least {SHORTEST} characters: a few words together are good"
    LONG = f"must have at most {LONGEST} characters"
    COMMON = "is well known, or made of well-known words, repetitions or rows of keys"
    OWN = "is made of your name, your user name or the name of the service"


def weakness(password: str, own: Iterable[str] = ()) -> Weakness | None:
    """Return why a password is not accepted, None when it is. own: the person's names, user name and the like."""
    text = normalized(password)
    if len(text) < SHORTEST:
        return Weakness.SHORT
    if len(text) > LONGEST:
        return Weakness.LONG
    plain = _folded(text)
    spellings = (plain, plain.translate(_LOOKALIKES))
    if any(_is_common(spelling) for spelling in spellings):
        return Weakness.COMMON
    words = {*_SERVICE, *_words(own)}
    if any(_left(spelling, words) < _LEFT_AT_LEAST for spelling in spellings):
        return Weakness.OWN
    return None


def normalized(password: str) -> str:
    """Return a password in one Unicode form (NFC), so that all keyboards give the same."""
    return unicodedata.normalize("NFC", password)


def _is_common(text: str) -> bool:
    core = re.sub(r"^[^a-z]+|[^a-z]+$", "", text)
    return (
        _is_repeated(text) or bool({text, core} & _listed()) or _left(_without_runs(text), _own_list()) < _LEFT_AT_LEAST
    )


def _is_repeated(text: str) -> bool:
    """Tell whether a text repeats one part over and over; the last repetition may be incomplete."""
    lengths = range(1, len(text) // 2 + 1)
    return any((text[:length] * (len(text) // length + 1)).startswith(text) for length in lengths)


def _left(text: str, words: Iterable[str]) -> int:
    """Return how many letters and digits are left after removing some words, the longest first."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, " ")
    return sum(symbol.isalnum() for symbol in text)


def _without_runs(text: str) -> str:
    """Remove runs such as 1234, dcba and aaaa: at least four characters with the same step between them."""
    kept, start = "", 0
    while start < len(text):
        end = _end_of_run(text, start)
        if end - start < _RUN:
            end = start + 1
            kept += text[start]
        start = end
    return kept


def _end_of_run(text: str, start: int) -> int:
    codes = [ord(symbol) for symbol in text[start:]]
    step = codes[1] - codes[0] if len(codes) > 1 else 0
    if abs(step) > 1:
        return start + 1
    length = next((n for n in range(1, len(codes)) if codes[n] - codes[n - 1] != step), len(codes))
    return start + length


def _words(texts: Iterable[str]) -> set[str]:
    found = {word for text in texts for word in re.split(r"[^a-z0-9]+", _folded(text))}
    return {word for word in found if len(word) >= _SHORTEST_WORD}


def _folded(text: str) -> str:
    """Return a text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(symbol for symbol in decomposed if not unicodedata.combining(symbol))


@cache
def _own_list() -> frozenset[str]:
    lines = _OWN_LIST.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def _listed() -> frozenset[str]:
    """Return the well-known passwords; the package's list is loaded only when a password is first checked."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - as the docstring says

    return _own_list() | frozenset(FREQUENCY_LISTS["passwords"])
