"""Operations that FHIR itself answers: about codes, and whether a resource is valid."""
