"""Pages for a patient, a guardian or a carer: the journal of accesses and its texts."""
