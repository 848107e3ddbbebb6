"""Habilis: a FHIR R4 server that shares patients' documents by a published habilitation matrix and their consent."""
