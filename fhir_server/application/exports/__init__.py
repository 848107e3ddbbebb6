"""Exports (Bulk Data Access): jobs, the worker's plan of spaces, and the pages of a file; HTTP stays at the edge."""
