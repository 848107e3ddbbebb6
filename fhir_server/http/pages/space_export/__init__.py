"""The page from which a patient, or whoever acts for them, takes a copy of the whole space along."""
