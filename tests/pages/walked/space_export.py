"""The page from which a patient takes a copy of the whole space along."""

PAGES = {"camille": ["/account/spaces/{patients[camille]}/copy"]}
