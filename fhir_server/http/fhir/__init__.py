"""The FHIR endpoint: one module for each interaction, for every type, and how answers look."""
