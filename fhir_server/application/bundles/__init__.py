"""Batch and transaction: the entries of a Bundle and the command of each entry."""
