"""What a request to the FHIR endpoint proves: bearer token, possession of a key, strength of login."""
