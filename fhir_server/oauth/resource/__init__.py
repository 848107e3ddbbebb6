"""What a request to the FHIR endpoint shows: bearer tokens, possession, strength of login."""
