"""`$everything`: the whole space in one answer, and its documents of a period."""

OPEN = (
    "/Patient/{space}/$everything", "/Patient/{space}/$everything?_count=200",
    "/Patient/{space}/$everything?_type=DocumentReference,Provenance",
    "/Patient/{space}/$everything?start=2026-01-01&end=2026-12-31",
)  # fmt: skip

TOLD = (
    ("everything", "/Patient/{space}/$everything?_count=200&_type=DocumentReference,List,Provenance,Encounter"),
    ("everything of a period", "/Patient/{space}/$everything?start=2026-01-01&_type=DocumentReference&_count=1"),
)
