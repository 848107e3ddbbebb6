"""The FHIR endpoint: one module for each interaction, the same for every type, and the rendering of answers."""
