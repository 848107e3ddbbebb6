"""FHIR R4 (4.0.1): parsing, rules and index extraction."""
