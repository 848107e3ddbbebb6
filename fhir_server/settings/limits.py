"""Limits on what one request may cost: sizes, counts and seconds, each from a setting with a safe default.

A process has one set of limits, which is set at its start; docs/configuration.md has a heading for each variable.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from fhir_server.settings.reading import Reader, Whole

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost.

    body_bytes: of a request body, after decoding. depth: nesting of elements. members: values of a body in total.
        object_members: of one object. entries: of a Bundle.
    parameters: of a search. values: separated by commas, in all of them. value_bytes: of one name and value.
    examined: resources that a search compares one by one.
    url_bytes, header_bytes: of the request's head.
    joined: resources that the chains and `_has` of a search may look at. includes: `_include` and `_revinclude` of a
        search. included: resources that may come with a page.
    patch_operations: of one patch. patch_work: elements that its operations visit in total. patched_bytes: of the
        result.
    trace_bytes: of a query in the audit log.
    request_seconds: for processing one request. body_seconds: for a body to arrive.
    connections: of each process; each takes a thread that works or waits.
    form_bytes: of a form or an address of the authorization server and its pages.
    sign_in_bytes: of an authorization request, which is kept while a person signs in.
    exports: of one caller that have not ended. export_hours: how long an export is kept.
    export_spaces: from which one file takes. export_streams: files that a process sends at once.
    copied: resources that a copy of a whole space may hold, its journal not counted.
    subscriptions: of one caller. subscription_events: last told events that one subscription keeps, for `$events`.
    choices: most choices in one space from the patient's side, and as many again from all professionals together.
    agreements: most agreements of one professional in one space. Both count parts: a Consent counts one, and one for
        each of its exceptions about documents.
    trail_days: longest time that a search of the audit log over all spaces may name. trail_events: at most so many
        events one page of such a search looks at. received_event_bytes: of one event of another system.
    """

    body_bytes: Annotated[Whole, Field(ge=1, le=1024 * MIB)] = 24 * MIB
    depth: Annotated[Whole, Field(ge=1, le=100)] = 48  # more would exhaust the interpreter's stack before the refusal
    members: Annotated[Whole, Field(ge=1, le=100_000_000)] = 200_000
    object_members: Annotated[Whole, Field(ge=1, le=100_000_000)] = 1000
    entries: Annotated[Whole, Field(ge=1, le=1_000_000)] = 1000
    parameters: Annotated[Whole, Field(ge=1, le=400)] = 64
    values: Annotated[Whole, Field(ge=1, le=10_000)] = 400
    value_bytes: Annotated[Whole, Field(ge=1, le=MIB)] = 16 * KIB
    joined: Annotated[Whole, Field(ge=1, le=30_000)] = 2000
    includes: Annotated[Whole, Field(ge=1, le=100)] = 16
    included: Annotated[Whole, Field(ge=1, le=10_000)] = 1000
    examined: Annotated[Whole, Field(ge=1, le=100_000)] = 1000
    url_bytes: Annotated[Whole, Field(ge=1, le=256 * KIB)] = 32 * KIB
    header_bytes: Annotated[Whole, Field(ge=1, le=256 * KIB)] = 64 * KIB
    patch_operations: Annotated[Whole, Field(ge=1, le=100_000)] = 200
    patch_work: Annotated[Whole, Field(ge=1, le=100_000_000)] = 200_000
    patched_bytes: Annotated[Whole, Field(ge=1, le=64 * MIB)] = MIB
    trace_bytes: Annotated[Whole, Field(ge=1, le=256 * KIB)] = 2 * KIB
    request_seconds: Annotated[Whole, Field(ge=1, le=3600)] = 30
    body_seconds: Annotated[Whole, Field(ge=1, le=3600)] = 20
    connections: Annotated[Whole, Field(ge=1, le=16_384)] = 512
    form_bytes: Annotated[Whole, Field(ge=1, le=4 * MIB)] = 64 * KIB
    sign_in_bytes: Annotated[Whole, Field(ge=1, le=64 * KIB)] = 8 * KIB
    exports: Annotated[Whole, Field(ge=1, le=1000)] = 4
    export_hours: Annotated[Whole, Field(ge=1, le=720)] = 24
    export_spaces: Annotated[Whole, Field(ge=1, le=1000)] = 50
    export_streams: Annotated[Whole, Field(ge=1, le=100)] = 2
    copied: Annotated[Whole, Field(ge=1, le=100_000)] = 5000
    subscriptions: Annotated[Whole, Field(ge=1, le=1000)] = 20
    subscription_events: Annotated[Whole, Field(ge=1, le=1000)] = 100
    choices: Annotated[Whole, Field(ge=1, le=10_000)] = 400
    agreements: Annotated[Whole, Field(ge=1, le=10_000)] = 20
    trail_days: Annotated[Whole, Field(ge=1, le=3653)] = 31
    trail_events: Annotated[Whole, Field(ge=1, le=100_000)] = 5000
    received_event_bytes: Annotated[Whole, Field(ge=1, le=MIB)] = 16 * KIB


READER = Reader(
    Limits, "MAX_", request_seconds="REQUEST_SECONDS", body_seconds="BODY_SECONDS", connections="CONNECTIONS"
)

_in_force = [Limits()]


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
