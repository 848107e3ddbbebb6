"""FHIR operations: what each is called, takes and answers. What it does is a use case."""
