"""The pages of the data-protection officer: what waits for a decision, and the search of the audit log."""
