"""The copy of a whole space."""

OPEN = ("/Patient/{space}/$export-space",)
