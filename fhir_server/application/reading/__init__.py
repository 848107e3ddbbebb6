"""Queries: read, search, explain, who sees what, conditional references. Nothing here writes."""
