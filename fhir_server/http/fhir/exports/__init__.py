"""Bulk Data Access at the edge: how a request for an export is read, its state, its manifest and its files."""
