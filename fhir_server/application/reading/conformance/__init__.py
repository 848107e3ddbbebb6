"""Questions that FHIR itself answers: what comes from the code, and whether a resource is valid."""
