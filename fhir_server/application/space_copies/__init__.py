"""Copies of a whole space: a patient or representative takes one along, and brings it to another server."""
