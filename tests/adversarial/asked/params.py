"""Parameters of one type: shortened answers, totals, orders, and criteria about what is missing."""

OPEN = (
    "/DocumentReference?patient={space}&_summary=true", "/DocumentReference?patient={space}&_total=estimate&_count=1",
    "/DocumentReference?patient={space}&_sort=_lastUpdated&_count=1", "/List?patient={space}&_elements=entry",
    "/DocumentReference?patient={space}&period:missing=true", "/DocumentReference/{plain}?_summary=data",
)  # fmt: skip
TOLD = (
    ("total", "/DocumentReference?patient={space}&_total=accurate&_count=1"),
    ("estimated", "/DocumentReference?patient={space}&_total=estimate&_count=1"),
    ("summary", "/DocumentReference?patient={space}&_summary=true"),
    ("oldest first", "/DocumentReference?patient={space}&_sort=_lastUpdated&_count=2"),
    ("without a period", "/DocumentReference?patient={space}&period:missing=true&_summary=count"),
    ("with a period", "/DocumentReference?patient={space}&period:missing=false&_summary=count"),
)
