"""The code systems and value sets of this server, and answers about their codes. No FHIR resources are built here."""
