"""Queries: read, search, explain, who sees a document, conditional references. Nothing here changes a resource."""
