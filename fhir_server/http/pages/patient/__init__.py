"""Pages of a patient and of whoever represents one: the journal of accesses and its texts."""
