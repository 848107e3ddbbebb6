"""What chance gives gets a name: ids, secrets, sealed places, fractions of seconds. Two runs then read the same."""

import json
import re
from base64 import b64decode, urlsafe_b64decode
from binascii import Error
from collections import Counter
from hashlib import sha256
from typing import Any

_FORMS = re.compile(
    r"(?P<sealed>(?<=sealed\|)[\w-]+|(?<=sealed%7C)[\w-]+)"
    r"|(?P<jwt>eyJ[\w-]{10,}\.[\w-]+\.[\w-]*)"
    r"|(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<hex>(?<![\w-])[0-9a-f]{32,}(?![\w-]))"
    r"|(?P<secret>(?:(?<![\w-])|(?<=%3A)|(?<=%20))(?:[\w-]{43}|[\w-]{60,})(?![\w-]))"
    r"|(?P<seed>(?<![\w-])[A-Z2-7]{32}(?![\w-]))"
    r"|(?P<drawing>\bd=\"[Mm][^\"]{200,}\")"
    r"|(?P<expiry>(?<=Expires=)[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT)"
    r"|(?P<fraction>(?<=\d\d:\d\d)\.\d+)"
)
_WITHOUT_NUMBER = {"fraction": "", "drawing": 'd="drawing"', "expiry": "<expiry>", "sealed": "<sealed>"}
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_IN_XML = re.compile(r"(?<=value=\")[A-Za-z0-9+/]{16,}={0,2}(?=\")")


class Normal:
    """Names for what chance gave: those that are told, and others by where they are first seen.

    A name that is given begins with the section, so that one id more does not rename all that follow in others.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self.names = dict(names)
        self.section = ""
        self._counts: Counter[tuple[str, str]] = Counter()
        others = [re.escape(word) for word in names if not _FORMS.fullmatch(word)]
        self._words = re.compile(rf"(?<![\w-])(?:{'|'.join(others)})(?![\w-])") if others else None

    def text(self, text: str) -> str:
        """Return a text with names in place of what chance gave."""
        if self._words:
            text = self._words.sub(lambda found: self.names[found[0]], text)
        return _FORMS.sub(self._named, text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with names in it, in the same order; base64 of a text is shown as the text."""
        if isinstance(value, dict):
            return {self.text(key): self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        return self._string(value) if isinstance(value, str) else value

    def _string(self, value: str) -> str | list[str]:
        if _BASE64.fullmatch(value):
            return self._unpacked(value)
        if "\n" in value and len(value) > 200:
            return [self.text(line) for line in value.splitlines()]
        return self.text(value)

    def body(self, body: bytes, media: str) -> Any:
        """Return the body of an answer as something that shows its differences line by line."""
        if not body:
            return None
        if "json" in media:
            return self.value(json.loads(body))
        if media.startswith("text/") or "xml" in media or "javascript" in media:
            text = body.decode("utf-8", "replace")
            if "fhir+xml" in media:
                text = _IN_XML.sub(lambda found: self._unpacked(found[0]), text).replace("><", ">\n<")
            return [self.text(line.strip()) for line in text.splitlines() if line.strip()]
        return _sum(body)

    def _unpacked(self, packed: str) -> str:
        try:
            text = b64decode(packed, validate=True).decode()
        except Error:
            return self.text(packed)
        except UnicodeDecodeError:
            return _sum(b64decode(packed)) if len(packed) > 60 else self.text(packed)
        return f"base64: {self.text(text)}" if text.isprintable() or "\n" in text else self.text(packed)

    def _named(self, found: re.Match[str]) -> str:
        kind, value = str(found.lastgroup), found[0]
        if kind == "jwt":
            return self._jwt(value)
        if kind in _WITHOUT_NUMBER:
            return _WITHOUT_NUMBER[kind]
        if value not in self.names:
            self._counts[self.section, kind] += 1
            self.names[value] = f"<{kind} {self.section}{self._counts[self.section, kind]}>"
        return self.names[value]

    def _jwt(self, token: str) -> str:
        try:
            parts = [json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]]
        except (ValueError, UnicodeDecodeError):
            return "<jwt>"
        return f"<jwt {json.dumps(self.value(parts))}>"


def _sum(data: bytes) -> str:
    return f"{len(data)} bytes, sha256 {sha256(data).hexdigest()[:24]}"


def names_of(book: dict[str, Any]) -> dict[str, str]:
    """Return what the demonstration's own book names: ids, tokens and passwords."""
    kinds = ("patients", "professionals", "roles", "organizations", "guardians", "documents", "consents")
    found = {id_: f"<{kind} {key}>" for kind in kinds for key, id_ in book[kind].items()}
    found |= {token: f"<token {key}>" for key, token in book["tokens"].items()}
    return found | {password: f"<password {key}>" for key, password in book["logins"].items()}
