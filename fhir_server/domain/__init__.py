"""FHIR-aware values and pure functions, by what they are about. No store, no clock, no registry."""
