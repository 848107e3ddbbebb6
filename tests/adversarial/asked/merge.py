"""`$merge` writes, so that no world asks it; what its links could tell is read on the Patient."""

OPEN = (
    "/Patient/{space}/_history", "/Patient?_id={space}&_elements=link,active",
    "/Patient/$merge?source-patient=Patient/{space}&target-patient=Patient/{space}",
)  # fmt: skip
