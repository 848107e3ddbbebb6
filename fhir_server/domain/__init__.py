"""Pure, FHIR-aware values and functions: no input or output, no web framework, no store."""
