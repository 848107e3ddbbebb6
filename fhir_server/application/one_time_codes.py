"""Codes that are handed over on paper or by word of mouth: 100 random bits in groups of four, hard to misread."""

from secrets import choice

LENGTH = 20
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new() -> str:
    """Return a fresh code, as it is kept."""
    return "".join(choice(_ALPHABET) for _ in range(LENGTH))


def shown(code: str) -> str:
    """Return a code as people read it: in groups of four."""
    return "-".join(code[at : at + 4] for at in range(0, LENGTH, 4))


def typed(text: str) -> str:
    """Return a code as it was typed, without what people put between its symbols; "" when it cannot be one."""
    code = "".join(symbol for symbol in text[: 4 * LENGTH].upper() if symbol.isalnum())
    return code if len(code) == LENGTH and code.isascii() else ""
