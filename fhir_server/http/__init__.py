"""Flask lives here: one module per FHIR interaction; views only parse, call and render."""
