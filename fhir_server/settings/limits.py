"""Limits on what one request may cost: sizes, counts and seconds, each from a setting with a safe default.

A process has one set of limits, which is set at its start; docs/configuration.md has a heading for each variable.
"""

from dataclasses import dataclass
from typing import Protocol

KIB, MIB = 1024, 1024 * 1024


class Reader(Protocol):
    """How settings read one variable; names are without the prefix."""

    def number(self, name: str, default: int, greatest: int, /) -> int:
        """Return a whole number from 1 to `greatest`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost.

    body_bytes: of a request body, after decoding. depth: nesting of elements. members: values of a body in total.
        object_members: of one object. entries: of a Bundle.
    parameters: of a search. values: separated by commas, in all of them. value_bytes: of one name and value.
    url_bytes, header_bytes: of the request's head.
    patch_operations: of one patch. patch_work: elements that its operations visit in total. patched_bytes: of the
        result.
    trace_bytes: of a query in the audit log.
    request_seconds: for processing one request. body_seconds: for a body to arrive.
    connections: of each process; each takes a thread that works or waits.
    form_bytes: of a form or an address of the authorization server and its pages.
    sign_in_bytes: of an authorization request, which is kept while a person signs in.
    choices: most choices in one space from the patient's side, and as many again from all professionals together.
    agreements: most agreements of one professional in one space. Both count parts: a Consent counts one, and one for
        each of its exceptions about documents.
    """

    body_bytes: int = 24 * MIB
    depth: int = 48
    members: int = 200_000
    object_members: int = 1000
    entries: int = 1000
    parameters: int = 64
    values: int = 400
    value_bytes: int = 16 * KIB
    url_bytes: int = 32 * KIB
    header_bytes: int = 64 * KIB
    patch_operations: int = 200
    patch_work: int = 200_000
    patched_bytes: int = MIB
    trace_bytes: int = 2 * KIB
    request_seconds: int = 30
    body_seconds: int = 20
    connections: int = 512
    form_bytes: int = 64 * KIB
    sign_in_bytes: int = 8 * KIB
    choices: int = 400
    agreements: int = 20


_MAX_DEPTH = 100
"""Deeper nesting would exhaust the interpreter's stack before the server could refuse it."""
_READ = {
    "body_bytes": ("MAX_BODY_BYTES", 1024 * MIB),
    "depth": ("MAX_DEPTH", _MAX_DEPTH),
    "members": ("MAX_MEMBERS", 100_000_000),
    "object_members": ("MAX_OBJECT_MEMBERS", 100_000_000),
    "entries": ("MAX_ENTRIES", 1_000_000),
    "parameters": ("MAX_PARAMETERS", 400),
    "values": ("MAX_VALUES", 10_000),
    "value_bytes": ("MAX_VALUE_BYTES", MIB),
    "url_bytes": ("MAX_URL_BYTES", 256 * KIB),
    "header_bytes": ("MAX_HEADER_BYTES", 256 * KIB),
    "patch_operations": ("MAX_PATCH_OPERATIONS", 100_000),
    "patch_work": ("MAX_PATCH_WORK", 100_000_000),
    "patched_bytes": ("MAX_PATCHED_BYTES", 64 * MIB),
    "trace_bytes": ("MAX_TRACE_BYTES", 256 * KIB),
    "request_seconds": ("REQUEST_SECONDS", 3600),
    "body_seconds": ("BODY_SECONDS", 3600),
    "connections": ("CONNECTIONS", 16_384),
    "form_bytes": ("MAX_FORM_BYTES", 4 * MIB),
    "sign_in_bytes": ("MAX_SIGN_IN_BYTES", 64 * KIB),
    "choices": ("MAX_CHOICES", 10_000),
    "agreements": ("MAX_AGREEMENTS", 10_000),
}
"""The variable of each limit, and its greatest allowed value."""

_in_force = [Limits()]


def read_limits(read: Reader) -> Limits:
    """Return the limits that the settings give."""
    safe = Limits()
    found = {name: read.number(_READ[name][0], getattr(safe, name), _READ[name][1]) for name in _READ}
    return Limits(**found)


def page_threads(threads: int) -> int:
    """Return how many requests for sign-in and pages are processed at once, besides `threads` of FHIR."""
    return max(2, threads // 2)


def in_force() -> Limits:
    """Return the limits of this process."""
    return _in_force[0]


def put_in_force(limits: Limits) -> Limits:
    """Set the limits of this process; return the previous limits."""
    before = _in_force[0]
    _in_force[0] = limits
    return before
