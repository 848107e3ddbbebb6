"""Joins: chains, `_has`, `_list`, includes and compartments."""

_DOCUMENTS = "/DocumentReference?patient={space}&"
_EVENTS = "/AuditEvent?patient={space}&_lastUpdated=ge{since}&_count=200"
BY_ID = (
    f"{_DOCUMENTS}relatesto:DocumentReference._id={{%s}}", f"{_DOCUMENTS}related:DocumentReference._id={{%s}}",
    "/List?patient={space}&item:DocumentReference._id={%s}", "/Consent?patient={space}&data:DocumentReference._id={%s}",
    "/Provenance?patient={space}&target:DocumentReference._id={%s}",
    "/Patient?_id={space}&_has:DocumentReference:subject:_id={%s}",
    f"{_DOCUMENTS}_id={{%s}}&_include=*", f"{_DOCUMENTS}_id={{%s}}&_revinclude=*",
    "/Patient/{space}/DocumentReference?_id={%s}",
)  # fmt: skip
BY_LOT = (
    f"{_DOCUMENTS}_list={{%s}}", f"{_DOCUMENTS}_has:List:item:_id={{%s}}",
    "/List?patient={space}&_id={%s}&_include=List:item",
    "/Provenance?patient={space}&target:List._id={%s}", "/Patient/{space}/List?_id={%s}",
)  # fmt: skip
BY_RECORD = (
    f"{_DOCUMENTS}_has:Provenance:target:_id={{%s}}", "/Provenance?patient={space}&_id={%s}&_include=Provenance:target",
)  # fmt: skip
OPEN = (
    f"{_DOCUMENTS}_revinclude=*&_include=*", f"{_DOCUMENTS}_has:List:item:code=submissionset",
    "/List?patient={space}&_include=List:item", "/List?patient={space}&item:DocumentReference.status=current",
    "/Consent?patient={space}&_include=*",
    "/Patient?_id={space}&_revinclude=DocumentReference:subject", "/Patient/{space}/DocumentReference?_count=200",
)  # fmt: skip
TOLD = (
    ("chained", "/List?patient={space}&item:DocumentReference.status=current&_elements=code"),
    ("chained in two steps", "/Provenance?patient={space}&target:List.item:DocumentReference.status=current"),
    ("has", f"{_DOCUMENTS}_has:List:item:code=submissionset&_elements=status"),
    ("had by an event", f"{_DOCUMENTS}_has:Provenance:target:recorded=ge2020&_summary=count"),
    ("of the list", f"{_DOCUMENTS}_list={{lot}}&_summary=count"),
    ("brought forward", "/List?patient={space}&_include=List:item&_include:iterate=*"),
    ("brought back", f"{_DOCUMENTS}_revinclude=*&_revinclude:iterate=*"),
    ("brought with the journal", f"{_EVENTS}&_include=AuditEvent:entity:DocumentReference&_elements=id"),
    ("compartment", "/Patient/{space}/DocumentReference?_total=accurate"),
    ("patient with documents", "/Patient?_id={space}&_revinclude=DocumentReference:subject&_revinclude=List:patient"),
    ("choices by documents", "/Consent?patient={space}&data:DocumentReference.status=current&_summary=count"),
)
