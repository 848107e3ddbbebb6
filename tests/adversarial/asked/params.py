"""Parameters of one type: shortened answers, totals, orders, and criteria about what is missing.

Ids are random, and an event names what was shown in its order: so no order here ends in a tie.
"""

BY_ID = (
    "/DocumentReference?patient={space}&relationship=replaces$DocumentReference/{%s}",
    "/DocumentReference?patient={space}&_id={%s}&_sort=status,type", "/DocumentReference/{%s}?_summary=text",
    "/DocumentReference?patient={space}&_id={%s}&type:text=cr", "/DocumentReference/{%s}?_elements=type",
)  # fmt: skip
OPEN = (
    "/DocumentReference?patient={space}&_summary=true", "/DocumentReference?patient={space}&_total=estimate",
    "/DocumentReference?patient={space}&_sort=_lastUpdated", "/List?patient={space}&_elements=entry",
    "/DocumentReference?patient={space}&period:missing=true", "/DocumentReference/{plain}?_summary=data",
    "/DocumentReference?patient={space}&type:text=compte",
    "/DocumentReference?patient={space}&_sort=status,-_lastUpdated",
    "/List?patient={space}&title:contains=lot", "/Consent?patient={space}&_sort=category,_lastUpdated",
    "/DocumentReference?patient={space}&relation=replaces",
    "/DocumentReference?patient={space}&contenttype:below=text/plain",
)  # fmt: skip
TOLD = (
    ("total", "/DocumentReference?patient={space}&_total=accurate&_count=1"),
    ("estimated", "/DocumentReference?patient={space}&_total=estimate&_count=1"),
    ("summary", "/DocumentReference?patient={space}&_summary=true"),
    ("oldest first", "/DocumentReference?patient={space}&_sort=_lastUpdated&_count=2"),
    ("without a period", "/DocumentReference?patient={space}&period:missing=true&_summary=count"),
    ("with a period", "/DocumentReference?patient={space}&period:missing=false&_summary=count"),
    ("sorted", "/DocumentReference?patient={space}&_sort=type,-_lastUpdated&_count=2"),
    ("sorted lists", "/List?patient={space}&_sort=-title,_lastUpdated&_count=2"),
    ("words", "/DocumentReference?patient={space}&type:text=cr&_summary=count"),
    ("plain texts", "/DocumentReference?patient={space}&contenttype:below=text/plain&_count=2"),
    ("not related", "/DocumentReference?patient={space}&relation:missing=true&_count=2"),
)
