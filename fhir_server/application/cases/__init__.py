"""Cases for the data-protection officer: opening them, deciding them. What opens a case is elsewhere."""
