"""Answers made of other answers: histories, and what the entries of a batch or transaction ask."""
