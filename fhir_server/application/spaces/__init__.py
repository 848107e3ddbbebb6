"""The states of a patient's space, its default Consents, and break-glass. Not the Consents that a patient records."""
