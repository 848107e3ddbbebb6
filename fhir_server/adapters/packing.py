"""Marks and labels of a document as bits of one number, so that one filter covers all of them."""

from collections.abc import Iterator
from functools import cache

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Label, Mark

LABELLED = 1 << 7
"""Set when the labels are known; they are unknown for data from before labels were stored."""
_SHIFT = 8
_MARKS = LABELLED - 1


def packed(access: AccessFacts) -> int:
    """Return the number for the marks and labels of a resource."""
    return int(access.marks) | (0 if access.labels is None else LABELLED | bits_of(access.labels))


@cache
def unpacked(number: int) -> tuple[Mark, Label | None]:
    """Return the marks and labels of a number."""
    return Mark(number & _MARKS), Label(number >> _SHIFT) if number & LABELLED else None


def bits_of(labels: Label) -> int:
    """Return the bits of labels."""
    return int(labels) << _SHIFT


def each_bit(number: int) -> Iterator[int]:
    """Yield the bits of a number one by one, the smallest first."""
    while number:
        bit = number & -number
        yield bit
        number ^= bit
