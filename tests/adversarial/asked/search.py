"""Reads and searches: of documents, submission sets, their Provenance, choices, traces and notices."""

BY_ID = (
    "/DocumentReference/{%s}", "/DocumentReference/{%s}/_history", "/DocumentReference/{%s}/_history/1",
    "/DocumentReference/{%s}/$explain", "/DocumentReference/{%s}/$audience", "/DocumentReference?_id={%s}",
    "/DocumentReference?patient={space}&_id={%s}", "/DocumentReference?patient={space}&_id={%s}&_summary=count",
    "/List?patient={space}&item=DocumentReference/{%s}", "/List?patient={space}&item={%s}",
    "/Consent?patient={space}&data=DocumentReference/{%s}", "/DocumentReference?patient={space}&related={%s}",
    "/AuditEvent?patient={space}&entity=DocumentReference/{%s}",
    "/Provenance?patient={space}&target=DocumentReference/{%s}", "/Provenance?patient={space}&target={%s}",
    "/DocumentReference?patient={space}&_id={%s}&_revinclude=Provenance:target",
)  # fmt: skip
BY_LOT = (
    "/List/{%s}", "/List/{%s}/_history", "/List?_id={%s}", "/List?patient={space}&_id={%s}",
    "/AuditEvent?patient={space}&entity=List/{%s}", "/Provenance?patient={space}&target=List/{%s}",
)  # fmt: skip
BY_RECORD = (
    "/Provenance/{%s}", "/Provenance/{%s}/_history", "/Provenance/{%s}/_history/1", "/Provenance?_id={%s}",
    "/Provenance?patient={space}&_id={%s}", "/AuditEvent?patient={space}&entity=Provenance/{%s}",
)  # fmt: skip
OPEN = (
    "/DocumentReference?patient={space}", "/DocumentReference?patient={space}&status=current",
    "/DocumentReference?patient={space}&_summary=count", "/DocumentReference?patient={space}&_count=200",
    "/List?patient={space}", "/List?patient={space}&code=submissionset", "/List?patient={space}&_summary=count",
    "/Consent?patient={space}", "/AuditEvent?patient={space}&_summary=count", "/Patient/{space}",
    "/Communication?patient={space}", "/Provenance?patient={space}", "/Provenance?patient={space}&_summary=count",
    "/DocumentReference?patient={space}&_revinclude=Provenance:target", "/Encounter?patient={space}",
    "/Provenance?patient={space}&agent-type=assembler", "/Provenance?patient={space}&recorded=ge2026-01-01",
)  # fmt: skip

TOLD = (
    ("trail", "/AuditEvent?patient={space}&_lastUpdated=ge{since}&_count=200"),
    ("number", "/AuditEvent?patient={space}&_summary=count"),
    ("first page", "/AuditEvent?patient={space}&_count=3"),
    ("refusals", "/AuditEvent?patient={space}&outcome=4&_summary=count"),
    ("of lists", "/AuditEvent?patient={space}&entity=List/{secret_lot}"),
    ("notices", "/Communication?patient={space}&_count=200"),
    ("documents", "/DocumentReference?patient={space}"),
    ("lists", "/List?patient={space}&_elements=entry"),
    ("records", "/Provenance?patient={space}"),
    ("documents with records", "/DocumentReference?patient={space}&_revinclude=Provenance:target"),
    ("choices", "/Consent?patient={space}&_summary=count"),
    ("stays", "/Encounter?patient={space}"),
)
