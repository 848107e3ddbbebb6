"""Answers: one resource, a searchset, a history; with ETag, Last-Modified, Location and Prefer.

Source: https://hl7.org/fhir/R4/http.html#versioning, https://hl7.org/fhir/R4/search.html#return.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import uuid4

import orjson
from flask import Response, request

from fhir_server.application.core import smart_scopes
from fhir_server.application.core.shown import Shown
from fhir_server.application.core.unit_of_work import Written
from fhir_server.application.reading.search import Found
from fhir_server.domain import bodies
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.request_context import argument, header, runtime
from fhir_server.r4.subsets import SUMMARIES, Subset
from fhir_server.registry import AccessRule, types_under

SUMMARY, ELEMENTS, _COUNT = "_summary", "_elements", "count"
_MATCH, _INCLUDE = (orjson.dumps({"mode": mode}) for mode in ("match", "include"))
_CONTENTS = types_under(AccessRule.CONTENT)


def wanted_subset() -> Subset | None:
    """Return what this request asks to see of each resource, None for whole resources.

    Raises: Problem(MALFORMED) for an unknown summary.
    """
    if request.method not in {"GET", "HEAD"} and not _is_form():
        return None
    return subset_of(_asked(SUMMARY), _asked(ELEMENTS))


def subset_of(summary: str, named: str) -> Subset | None:
    """Return what these values of `_summary` and `_elements` ask to see, None for whole resources.

    Raises: Problem(MALFORMED) for an unknown summary.
    """
    if not (summary or named):
        return None
    if summary and summary not in SUMMARIES:
        raise Problem.of(Category.MALFORMED, f"`{SUMMARY}` takes one of: {', '.join(SUMMARIES)}", code=SUMMARY)
    elements = frozenset(name.strip().partition(".")[2] or name.strip() for name in named.split(",") if name.strip())
    shortened = summary if summary in ("true", "text", "data") else ""
    return Subset(shortened, frozenset() if shortened else elements) or None


def demand_of_one() -> None:
    """Refuse a count, which only a search has.

    Raises: Problem(MALFORMED).
    """
    if _asked(SUMMARY) == _COUNT:
        raise Problem.of(Category.MALFORMED, f"`{SUMMARY}={_COUNT}` is for a search", code=SUMMARY)


def _is_form() -> bool:
    return request.method == "POST" and request.path.endswith("/_search")


def _asked(name: str) -> str:
    return argument(name) or (request.form.get(name, "") if _is_form() else "")


def etag_of(shown: Shown) -> str:
    """Return the weak entity tag: the version as this caller sees it."""
    return f'W/"{bodies.version_id(shown.stored, knows_marks=shown.knows_marks)}"'


def form_of(shown: Shown) -> str:
    """Return the type of resource that a content is, "" for any other content and any other resource."""
    return bodies.form_of(shown.stored.body) if shown.stored.type in _CONTENTS else ""


def location_of(fhir_base: str, shown: Shown) -> str:
    """Return the absolute URL of the version; a content that is a resource stands under the type of that resource."""
    form = form_of(shown)
    if form:
        return f"{fhir_base}/{form}/{shown.stored.id}"
    version = bodies.version_id(shown.stored, knows_marks=shown.knows_marks)
    return f"{fhir_base}/{shown.reference}/_history/{version}"


def body_of(shown: Shown) -> bytes:
    """Return the JSON of a resource as this caller sees it; the server's own keys of a Binary are left out."""
    if shown.stored.type in _CONTENTS:
        return orjson.dumps(description_of(shown))
    return bodies.body_for(shown.stored, knows_marks=shown.knows_marks)


def description_of(shown: Shown) -> Json:
    """Return a Binary without its data and without the server's own keys."""
    body = bodies.body_for(shown.stored, knows_marks=shown.knows_marks)
    return {name: value for name, value in orjson.loads(body).items() if not name.startswith("_")}


def asked_body_of(shown: Shown, subset: Subset | None) -> bytes:
    """Return the JSON of a resource without what the client does not ask for."""
    body = body_of(shown)
    return subset.of(body, shown.stored.type) if subset else body


def may_be_told(caller: Caller, written: Written) -> bool:
    """Tell whether the answer to a write may hold the resource: the client created it, or its scopes allow reading."""
    stored = written.shown.stored
    return written.created or smart_scopes.lets_read(caller, stored.type, stored.facts.access)


def resource(
    shown: Shown, status: int = 200, place: str = "", *, is_told: bool = True, notes: Sequence[Issue] = ()
) -> Response:
    """Render one resource; answer 304 when the validators of a GET say that the client already has it.

    place: the header in which a write names the version, "Location" or "Content-Location". is_told: whether the answer
    to a write may hold the resource. notes: warnings, for a client that asks for an OperationOutcome.
    """
    updated = bodies.last_updated(shown.stored, knows_marks=shown.knows_marks)
    tag = etag_of(shown)
    is_reading = request.method in {"GET", "HEAD"}
    if is_reading and status == HTTPStatus.OK and has_it(shown):
        response = negotiation.empty_response(304)
    elif not is_reading and (not is_told or preferred_return() != "representation"):
        response = _without_body(status, notes)
    else:
        response = negotiation.fhir_response(asked_body_of(shown, wanted_subset()), status)
    response.headers["ETag"] = tag
    response.headers["Last-Modified"] = format_datetime(updated.replace(microsecond=0), usegmt=True)
    if place:
        response.headers[place] = location_of(runtime().fhir_base, shown)
    return response


def preferred_return() -> str:
    """Return what the client wants back after a write: "representation", "minimal" or "OperationOutcome"."""
    wanted = negotiation.preference("return")
    return wanted if wanted in {"minimal", "OperationOutcome"} else "representation"


def searchset(fhir_base: str, found: Found, links: Iterable[tuple[str, str]], notes: Sequence[str] = ()) -> bytes:
    """Build a searchset from stored bytes, without parsing them.

    links: (relation, URL). notes: texts about ignored parameters, sent as one outcome entry.
    """
    head: Json = {"resourceType": "Bundle", "type": "searchset"}
    if found.total is not None:
        head["total"] = found.total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    subset = wanted_subset()
    entries = [_hit(fhir_base, item, _MATCH, subset) for item in found.shown]
    entries += [_hit(fhir_base, item, _INCLUDE, subset and subset.of_included) for item in found.included]
    if notes:
        outcome = {"fullUrl": uuid4().urn, "resource": _notes(notes), "search": {"mode": "outcome"}}
        entries.append(orjson.dumps(outcome))
    return _with_entries(head, entries)


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the query of a link; a comma stays as it is, so that a reader who decodes nothing sees the values apart.

    Source: RFC 3986 3.4; HAPI's validator compares `_type` of a self link as it is written.
    """
    return urlencode([*pairs], safe=",")


def history(fhir_base: str, shown: Sequence[Shown], total: int, links: Iterable[tuple[str, str]]) -> bytes:
    """Build a history Bundle from stored bytes, newest first; a deletion is an entry without a resource.

    links: (relation, URL).
    """
    head: Json = {
        "resourceType": "Bundle",
        "type": "history",
        "total": total,
        "link": [{"relation": relation, "url": url} for relation, url in links],
    }
    return _with_entries(head, [_historic(fhir_base, item) for item in shown])


def _with_entries(head: Json, entries: list[bytes]) -> bytes:
    start = orjson.dumps(head)
    if not entries:
        return start
    return start[:-1] + b',"entry":[' + b",".join(entries) + b"]}"


def _hit(fhir_base: str, shown: Shown, mode: bytes, subset: Subset | None) -> bytes:
    """Return one entry of a searchset. mode: `Bundle.entry.search`, as JSON."""
    url = orjson.dumps(f"{fhir_base}/{shown.reference}")
    return b'{"fullUrl":' + url + b',"resource":' + asked_body_of(shown, subset) + b',"search":' + mode + b"}"


def _historic(fhir_base: str, shown: Shown) -> bytes:
    stored = shown.stored
    method = "DELETE" if stored.deleted else "POST" if stored.version == 1 else "PUT"
    entry: Json = {
        "fullUrl": f"{fhir_base}/{shown.reference}",
        "request": {"method": method, "url": stored.type if method == "POST" else shown.reference},
        "response": {
            "status": {"DELETE": "204", "POST": "201", "PUT": "200"}[method],
            "etag": etag_of(shown),
            "lastModified": bodies.instant(bodies.last_updated(stored, knows_marks=shown.knows_marks)),
        },
    }
    rendered = orjson.dumps(entry)
    return rendered if stored.deleted else rendered[:-1] + b',"resource":' + body_of(shown) + b"}"


def _notes(notes: Sequence[str]) -> Json:
    issues = [{"severity": "warning", "code": "not-supported", "details": {"text": note}} for note in notes]
    return {"resourceType": "OperationOutcome", "issue": issues}


def warnings(notes: Sequence[Issue]) -> Json:
    """Return an OperationOutcome with warnings that name their elements, if they are about one."""
    issues = [
        {
            "severity": "warning",
            "code": "informational",
            "details": {"text": note.text},
        }
        | ({"expression": [note.expression]} if note.expression else {})
        for note in notes
    ]
    return {"resourceType": "OperationOutcome", "issue": issues}


def _without_body(status: int, notes: Sequence[Issue]) -> Response:
    if preferred_return() == "minimal":
        response = negotiation.empty_response(status)
        response.headers["Cache-Control"] = "no-store"
        return response
    done = {"severity": "information", "code": "informational", "details": {"text": "done"}}
    outcome = warnings(notes)
    return negotiation.fhir_response(outcome | {"issue": [done, *outcome["issue"]]}, status)


def has_it(shown: Shown) -> bool:
    """Tell whether the validators of this request say that the client already has this version."""
    return is_unchanged(shown, header("If-None-Match"), header("If-Modified-Since"))


def is_unchanged(shown: Shown, if_none_match: str, if_modified_since: str) -> bool:
    """Tell whether a validator says that the client already has this version; "" means that a validator was not sent.

    if_modified_since: an HTTP date, or an instant as in the entries of a Bundle. The tag takes precedence.
    Source: RFC 9110, 13.2.2.
    """
    if if_none_match:
        return negotiation.names_tag(if_none_match, etag_of(shown))
    updated = bodies.last_updated(shown.stored, knows_marks=shown.knows_marks)
    try:
        return bool(if_modified_since) and updated.replace(microsecond=0) <= _moment(if_modified_since)
    except (ValueError, TypeError):  # the date cannot be read, or has no time zone
        return False


def _moment(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return parsedate_to_datetime(written)
