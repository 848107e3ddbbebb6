"""Requests as no client should send them: the grammar of FHIR, bent at every place."""

import json
from dataclasses import dataclass, field

from hypothesis import strategies as st

from fhir_server.registry import REGISTRY
from tests.submissions import publication

TYPES = (*REGISTRY, "Observation", "Device", "patient", "*")
COMMON = (
    "_id", "_lastUpdated", "_count", "_sort", "_total", "_summary", "_elements", "_include", "_revinclude",
    "_has:AuditEvent:entity:agent", "_filter", "_format", "_pretty", "_text", "_content", "_tag", "_profile",
    "_security", "_type", "_page", "cursor", "patient.identifier", "patient:identifier",
)  # fmt: skip
MODIFIERS = ("", "", ":exact", ":missing", ":not", ":identifier", ":Patient", ":of-type", ":contains", ":in", ":x")
VALUES = (
    "", "|", "||", "a|b|c", "a|", "|b", ",", "\\,", "\\", "$", "Patient/", "Patient/x", "Patient/x/_history/1", "*/x",
    "2026", "2026-02-30", "ge2026-13", "2026-01-01T25:00:00Z", "eq0000", "gt9999-12-31T23:59:59.999999+14:00", "ap2026",
    "0", "-1", "1e9", "99999999999999999999", "true", "none", "accurate", "count", "data", "text", "date,-date",
    "current", "http://loinc.org|34112-3", "urn:ietf:rfc:3986|urn:oid:1.2.3", "\x00", "\ud7ff", "\U0001f600", "é" * 200,
    "' OR 1=1 --", '{"$ne": null}', "$where", "../../etc/passwd", "<script>", "%", "%00", "application/fhir+xml", "xml",
)  # fmt: skip
MEDIA = (
    "application/fhir+json", "application/fhir+json", "application/json", "application/fhir+xml", "text/xml",
    "application/json-patch+json", "application/x-www-form-urlencoded", "application/fhir+json; charset=latin-1",
    "text/plain", "multipart/form-data; boundary=x", "application/octet-stream", "*/*;q=0", "a/b;", "",
)  # fmt: skip
MARK = {
    "coding": [
        {
            "system": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument",
            "code": "MASQUE_PS",
        }
    ]
}
METHODS = ["POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY"]
TAGS = ('W/"1"', 'W/"1-0"', 'W/"99999999999999999999"', '"1"', "1", "*", 'W/""', "W/", 'W/"1", W/"2"', "x")
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(VALUES),
    st.just("x" * 3000),
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Call:
    """One request. who: whose token."""

    who: str
    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Known:
    """What exists: ids by resource type, whose tokens there are, and one resource of each kind as it was answered."""

    ids: dict[str, list[str]]
    who: list[str]
    resources: list[dict]
    patient: str
    organization: str


def calls(known: Known) -> st.SearchStrategy[Call]:
    """Generate requests that touch what exists, and what does not."""
    return st.one_of(_anything(known), _anything(known), _writing(known), _patching(known))


def _anything(known: Known) -> st.SearchStrategy[Call]:
    return st.builds(
        Call,
        who=st.sampled_from([*known.who, "nobody", "garbage"]),
        method=st.sampled_from(["GET"] * 8 + METHODS),
        path=_paths(known),
        query=st.lists(st.tuples(_names(), _values(known)), max_size=4),
        headers=_headers(),
        body=_bodies(known),
    )


def _writing(known: Known) -> st.SearchStrategy[Call]:
    """Generate writes whose path, media type and body belong together, so that they come far."""
    own = [resource for resource in known.resources if resource["resourceType"] != "AuditEvent"]
    bundle = json.loads(publication("1", b"x", known.patient, known.organization))
    types = [{"Content-Type": "application/fhir+json"}, {"Content-Type": "application/fhir+json", "If-Match": 'W/"1"'}]
    aimed = [(method, resource) for resource in own for method in ("POST", "PUT", "PATCH")] + [("POST", bundle)] * 4
    return st.sampled_from(aimed).flatmap(
        lambda aim: st.builds(
            Call,
            who=st.sampled_from(["camille", "chu-a-ehr", "paul", "martin", *known.who]),
            method=st.just(aim[0]),
            path=st.just(_address(*aim)),
            headers=st.sampled_from(types),
            body=_bent(aim[1]).map(json.dumps).map(str.encode),
        )
    )


def _patching(known: Known) -> st.SearchStrategy[Call]:
    """Generate patches of documents: of their marks, their status, or of places that must stay."""
    step = st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "replace", "remove", "test", "move", "copy", "x"]),
            "path": st.sampled_from(
                ["/securityLabel/-", "/securityLabel/0", "/status", "", "/", "/id", "/content/0", "/x/y"]
            ),
        },
        optional={
            "value": _json | st.just(MARK) | st.just("superseded"),
            "from": st.sampled_from(["/status", "", "x", 1]),
        },
    )
    mark = st.just([{"op": "add", "path": "/securityLabel/-", "value": MARK}])
    return st.builds(
        Call,
        who=st.sampled_from(["camille", "chu-a-ehr", "martin"]),
        method=st.just("PATCH"),
        path=st.sampled_from([f"/fhir/DocumentReference/{id_}" for id_ in known.ids["DocumentReference"]]),
        headers=st.just({"Content-Type": "application/json-patch+json"}),
        body=st.one_of(mark, st.lists(step, max_size=3)).map(json.dumps).map(str.encode),
    )


def _address(method: str, resource: dict) -> str:
    if resource["resourceType"] == "Bundle":
        return "/fhir"
    place = f"/fhir/{resource['resourceType']}"
    return place if method == "POST" else f"{place}/{resource['id']}"


def _ids(known: Known) -> st.SearchStrategy[str]:
    every = sorted({id_ for ids in known.ids.values() for id_ in ids})
    odd = ("x", "..", "00000000-0000-4000-8000-000000000000", "%2e%2e", "a" * 65, "_history", "$validate", "é")
    return st.one_of(st.sampled_from(every), st.sampled_from(every), st.sampled_from(odd))


def _paths(known: Known) -> st.SearchStrategy[str]:
    types, ids = st.sampled_from(TYPES), _ids(known)
    matching = st.sampled_from([f"/fhir/{type_}/{id_}" for type_, ids in known.ids.items() for id_ in ids])
    version = st.sampled_from(["1", "2", "0", "1-1", "-1", "x", "9" * 30])
    return st.one_of(
        matching,
        st.builds("/fhir/{}".format, types),
        st.builds("/fhir/{}/{}".format, types, ids),
        st.builds("{}/_history".format, matching),
        st.builds("{}/_history/{}".format, matching, version),
        st.builds("/fhir/{}/_search".format, types),
        st.builds("{}/${}".format, matching, st.sampled_from(["everything", "break-glass", "validate", "x"])),
        st.sampled_from(
            ["/fhir", "/fhir/", "/fhir/metadata", "/fhir//", "/fhir/_history", "/fhir/$x", "/fhir/.well-known/x"]
        ),
    )


def _names() -> st.SearchStrategy[str]:
    declared = sorted({param.name for row in REGISTRY.values() for param in row.search})
    name = st.one_of(st.sampled_from(declared), st.sampled_from(COMMON), st.text(max_size=6))
    return st.builds("{}{}".format, name, st.sampled_from(MODIFIERS))


def _values(known: Known) -> st.SearchStrategy[str]:
    ids = _ids(known)
    return st.one_of(
        st.sampled_from(VALUES), ids, st.builds("{}/{}".format, st.sampled_from(TYPES), ids), st.text(max_size=12)
    )


def _headers() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from(MEDIA),
            "Accept": st.sampled_from(MEDIA),
            "If-Match": st.sampled_from(TAGS),
            "If-None-Match": st.sampled_from(TAGS),
            "If-Modified-Since": st.sampled_from(
                ["x", "Sat, 01 Jan 2050 00:00:00 GMT", "Sat, 99 Jan 2050 00:00:00 GMT"]
            ),
            "If-None-Exist": st.sampled_from(["identifier=a|b", "_id=x", "=", "x", "identifier=", "&&", "\x7f"]),
            "Prefer": st.sampled_from(["return=minimal", "return=OperationOutcome", "handling=strict", "x", ";;=,"]),
            "Content-Encoding": st.sampled_from(["gzip", "identity", "br"]),
            "X-Request-Id": st.sampled_from(["a", "x" * 200, "é"]),
        },
    )


def _bodies(known: Known) -> st.SearchStrategy[bytes]:
    whole = [*known.resources, json.loads(publication("1", b"x", known.patient, known.organization))]
    patches = (
        [{"op": "replace", "path": "/status", "value": "superseded"}],
        [{"op": "move"}],
        [{"op": 1}],
        {"op": "add"},
    )
    return st.one_of(
        st.just(b""),
        st.binary(max_size=40),
        st.sampled_from(
            [b"[" * 3000, b'{"resourceType":' * 500, b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", b"null", b"1e999"]
        ),
        st.sampled_from(
            [b"<Patient xmlns='http://hl7.org/fhir'/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a"]
        ),
        st.sampled_from(patches).map(json.dumps).map(str.encode),
        _json.map(json.dumps).map(str.encode),
        st.sampled_from(whole).flatmap(_bent).map(json.dumps).map(str.encode),
        st.sampled_from(whole).flatmap(_bent).map(json.dumps).map(str.encode),
    )


@st.composite
def _bent(draw: st.DrawFn, resource: dict) -> dict:
    """Return a copy of a resource with up to three places changed."""
    copy = json.loads(json.dumps(resource))
    for _ in range(draw(st.integers(0, 3))):
        _bend(draw, copy)
    return copy


def _bend(draw: st.DrawFn, node: dict | list) -> None:
    """Walk down at random, and change what is found there."""
    while True:
        places = list(node) if isinstance(node, dict) else range(len(node))
        if not places:
            return
        place = draw(st.sampled_from(places))
        if isinstance(node[place], dict | list) and draw(st.booleans()):
            node = node[place]
            continue
        audited = draw(st.sampled_from(["drop", "replace", "wrap", "add"]))
        if audited == "drop":
            del node[place]
        elif audited == "wrap":
            node[place] = [node[place]]
        elif audited == "add" and isinstance(node, dict):
            node[draw(st.text(max_size=6))] = draw(_json)
        else:
            node[place] = draw(_json)
        return
