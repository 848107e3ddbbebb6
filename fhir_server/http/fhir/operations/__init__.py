"""FHIR operations: their names, parameters and answers. What an operation does is in application/."""
