"""`$docref`: the documents of a patient by type and date of care."""

OPEN = (
    "/DocumentReference/$docref?patient={space}", "/DocumentReference/$docref?patient={space}&start=2026-01-01",
    "/DocumentReference/$docref?patient={space}&type=http://loinc.org|34112-3",
)  # fmt: skip

TOLD = (("documents by docref", "/DocumentReference/$docref?patient={space}&start=2000-01-01"),)
