"""Use cases: one module each, plain functions over the ports."""
