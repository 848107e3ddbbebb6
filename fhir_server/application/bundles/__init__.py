"""Batch and transaction: the entries of a Bundle, each led to its command."""
