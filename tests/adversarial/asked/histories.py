"""Histories of one document, of a type in a space, and of a space, with their windows and pages."""

BY_ID = ("/DocumentReference/{%s}/_history?_count=1", "/DocumentReference/{%s}/_history?_at=2026-03-02")
OPEN = (
    "/DocumentReference/_history?patient={space}", "/DocumentReference/_history?patient={space}&_count=200",
    "/List/_history?patient={space}&_since=2026-01-01T00:00:00Z", "/Consent/_history?patient={space}",
    "/_history?patient={space}&_count=200", "/_history?patient={space}&_at=2026-03-02",
)  # fmt: skip

TOLD = (
    ("versions of documents", "/DocumentReference/_history?patient={space}&_since={since}"),
    ("number of versions", "/DocumentReference/_history?patient={space}&_count=0"),
    ("versions in the space", "/_history?patient={space}&_since={since}"),
    ("number in the space", "/_history?patient={space}&_count=0"),
)
"""What was written at one instant comes in the order of ids, which are chance: of all time, numbers are compared."""
