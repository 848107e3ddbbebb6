"""Invariants of R4 that its structure cannot express, as predicates on plain values, keyed by type.

Each rule yields (path below the element, text) for every breach; no rule assumes that the structure is valid.
Rules that R4 calls warnings are not here.

Source: the constraints of https://hl7.org/fhir/R4/, named by their keys. ppc-2 is enforced as it was meant: R4's own
expression compares the scope with a placeholder, so it never applies.
"""

from collections.abc import Callable, Iterator

from fhir_server.domain.search.dates import interval_of
from fhir_server.domain.values import Json

Breach = tuple[str, str]
Rule = Callable[[Json], Iterator[Breach]]

PRIVACY_SCOPE = "patient-privacy"
_EMPTY: Json = {}


def _when(key: str, path: str, text: str, broken: Callable[[Json], bool]) -> Rule:
    """Make a rule for one place, which is broken when the predicate is true."""

    def rule(value: Json) -> Iterator[Breach]:
        if broken(value):
            yield path, f"{text} ({key})"

    return rule


def _extension(value: Json) -> Iterator[Breach]:
    has_value = any(name.startswith(("value", "_value")) for name in value)
    if has_value == ("extension" in value):
        yield "", "must have either a value or extensions (ext-1)"


def _period(value: Json) -> Iterator[Breach]:
    start, end = value.get("start"), value.get("end")
    if not (isinstance(start, str) and isinstance(end, str)):
        return
    try:
        late = interval_of(start)[0] >= interval_of(end)[1]
    except ValueError:
        return
    if late:
        yield "", "must not end before it starts (per-1)"


def _contained(value: Json) -> Iterator[Breach]:
    for index, one in enumerate(_dicts(value.get("contained"))):
        path = f"contained[{index}]"
        meta = one.get("meta")
        meta = meta if isinstance(meta, dict) else _EMPTY
        if "contained" in one:
            yield f"{path}.contained", "a contained resource must not contain others (dom-2)"
        for name in ("versionId", "lastUpdated"):
            if name in meta:
                yield f"{path}.meta.{name}", "a contained resource must not have it (dom-4)"
        if "security" in meta:
            yield f"{path}.meta.security", "a contained resource must not have security labels (dom-5)"


def _bundle_entries(value: Json) -> Iterator[Breach]:
    type_ = value.get("type")
    requests = type_ in ("batch", "transaction", "history")
    responses = type_ in ("batch-response", "transaction-response", "history")
    for index, entry in enumerate(_dicts(value.get("entry"))):
        path = f"entry[{index}]"
        if ("request" in entry) != requests:
            text = f"is {'required' if requests else 'not allowed'} in a Bundle of this type (bdl-3)"
            yield f"{path}.request", text
        if ("response" in entry) != responses:
            text = f"is {'required' if responses else 'not allowed'} in a Bundle of this type (bdl-4)"
            yield f"{path}.response", text
        if not {"resource", "request", "response"} & entry.keys():
            yield path, "must have a resource, a request or a response (bdl-5)"
        if "search" in entry and type_ != "searchset":
            yield f"{path}.search", "belongs to a searchset (bdl-2)"
        if "/_history/" in str(entry.get("fullUrl", "")):
            yield f"{path}.fullUrl", "must not name a version (bdl-8)"


def _bundle_full_urls(value: Json) -> Iterator[Breach]:
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(_dicts(value.get("entry"))):
        url = entry.get("fullUrl")
        if not isinstance(url, str) or value.get("type") == "history":
            continue
        resource = entry.get("resource")
        meta = resource.get("meta") if isinstance(resource, dict) else None
        version = str(meta.get("versionId")) if isinstance(meta, dict) else ""
        if (url, version) in seen:
            yield f"entry[{index}].fullUrl", "must be unique in the Bundle (bdl-7)"
        seen.add((url, version))


def _bundle_document(value: Json) -> Iterator[Breach]:
    if value.get("type") != "document":
        return
    identifier = value.get("identifier")
    if not (isinstance(identifier, dict) and "system" in identifier and "value" in identifier):
        yield "identifier", "a document has an identifier with system and value (bdl-9)"
    if "timestamp" not in value:
        yield "timestamp", "a document has a timestamp (bdl-10)"
    first = next(iter(_dicts(value.get("entry"))), _EMPTY).get("resource")
    if not (isinstance(first, dict) and first.get("resourceType") == "Composition"):
        yield "entry[0].resource", "a document starts with a Composition (bdl-11)"


def _list_entries(value: Json) -> Iterator[Breach]:
    mode = value.get("mode")
    for index, entry in enumerate(_dicts(value.get("entry"))):
        if entry.get("deleted") is True and mode != "changes":
            yield f"entry[{index}].deleted", "belongs to a list of changes (lst-2)"
        if "date" in entry and mode != "working":
            yield f"entry[{index}].date", "belongs to a working list (lst-3)"


def _privacy_consent(value: Json) -> bool:
    scope = value.get("scope")
    codings = _dicts(scope.get("coding")) if isinstance(scope, dict) else []
    return any(coding.get("code") == PRIVACY_SCOPE for coding in codings) and "patient" not in value


def _home(value: Json, name: str) -> bool:
    return any(one.get("use") == "home" for one in _dicts(value.get(name)))


def _care_team(value: Json) -> Iterator[Breach]:
    for index, participant in enumerate(_dicts(value.get("participant"))):
        member = participant.get("member")
        reference = str(member.get("reference", "")) if isinstance(member, dict) else ""
        if "onBehalfOf" in participant and "Practitioner/" not in reference and not reference.startswith(("#", "urn:")):
            yield f"participant[{index}].onBehalfOf", "belongs to a member who is a Practitioner (ctm-1)"


def _patient_contacts(value: Json) -> Iterator[Breach]:
    for index, contact in enumerate(_dicts(value.get("contact"))):
        if not {"name", "telecom", "address", "organization"} & contact.keys():
            yield f"contact[{index}]", "must have details or an organization (pat-1)"


def _dicts(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


_QUANTITY = (_when("qty-3", "system", "is required beside a code", lambda v: "code" in v and "system" not in v),)
_DOMAIN = (_contained,)

INVARIANTS: dict[str, tuple[Rule, ...]] = {
    "Extension": (_extension,),
    "Period": (_period,),
    "Attachment": (
        _when("att-1", "contentType", "is required beside data", lambda v: "data" in v and "contentType" not in v),
    ),
    "ContactPoint": (
        _when("cpt-2", "system", "is required beside a value", lambda v: "value" in v and "system" not in v),
    ),
    "Quantity": _QUANTITY,
    "Age": _QUANTITY,
    "Duration": _QUANTITY,
    "Count": _QUANTITY,
    "Distance": _QUANTITY,
    "Patient": (*_DOMAIN, _patient_contacts),
    "Organization": (
        *_DOMAIN,
        _when("org-1", "", "must have a name or an identifier", lambda v: not {"name", "identifier"} & v.keys()),
        _when("org-2", "address", "must not be a home address", lambda v: _home(v, "address")),
        _when("org-3", "telecom", "must not be a home contact", lambda v: _home(v, "telecom")),
    ),
    "List": (
        *_DOMAIN,
        _list_entries,
        _when("lst-1", "emptyReason", "belongs to an empty list", lambda v: "emptyReason" in v and "entry" in v),
    ),
    "Consent": (
        *_DOMAIN,
        _when("ppc-1", "policy", "or policyRule is required", lambda v: not {"policy", "policyRule"} & v.keys()),
        _when("ppc-2", "patient", "is required in a privacy consent", _privacy_consent),
    ),
    "AuditEventEntity": (
        _when("sev-1", "", "must not have both a name and a query", lambda v: "name" in v and "query" in v),
    ),
    "CareTeam": (*_DOMAIN, _care_team),
    "Bundle": (
        _bundle_entries,
        _bundle_full_urls,
        _bundle_document,
        _when(
            "bdl-1",
            "total",
            "belongs to a searchset or a history",
            lambda v: "total" in v and v.get("type") not in ("searchset", "history"),
        ),
    ),
    "ParametersParameter": (
        _when(
            "inv-1",
            "",
            "must have exactly one of value, resource and parts",
            lambda v: (any(n.startswith(("value", "_value")) for n in v) + ("resource" in v) + ("part" in v)) != 1,
        ),
    ),
}
"""The rules of each type that has some of its own."""


def rules_of(type_: str, *, has_contained: bool) -> tuple[Rule, ...]:
    """Return the rules of a type. has_contained: whether it is a DomainResource."""
    return INVARIANTS.get(type_, _DOMAIN if has_contained else ())
