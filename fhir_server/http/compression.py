"""Compression of answers with gzip, for clients that ask for it.

The size of a compressed answer tells how much of it repeats: who chooses a part of an answer and sees its size on the
network could guess the rest (BREACH). No page is compressed, only answers to a bearer token, which no browser sends by
itself; and each one is made longer by a random number of bytes.

Source: RFC 9110, 8.4 and 12.5.3; RFC 1952; docs/threat-model.md (what the server reveals nevertheless).
"""

import gzip
from io import BytesIO
from secrets import randbelow

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

LEAST_BYTES = 1024
"""Smaller answers are sent as they are: compressing them saves no packet."""
_PADDING = 100
_LEVEL = 1
"""The quickest level: FHIR repeats itself so much that the others save little."""


def is_wanted(accept_encoding: str) -> bool:
    """Tell whether a client accepts gzip, and does not prefer an answer without compression."""
    if "gzip" not in accept_encoding:
        return False
    sent = parse_accept_header(accept_encoding, Accept)
    return sent.quality("gzip") > 0 and sent.quality("gzip") >= sent.quality("identity")


def compressed(content: bytes) -> bytes:
    """Return an answer compressed, with a name of random length in its head, which every reader skips."""
    written = BytesIO()
    with gzip.GzipFile("p" * (1 + randbelow(_PADDING)), "wb", _LEVEL, written, mtime=0) as coder:
        coder.write(content)
    return written.getvalue()
