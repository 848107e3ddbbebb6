"""FHIR-aware values and pure functions, one folder for each subject. No store, no clock."""
