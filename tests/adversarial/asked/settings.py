"""`$space-settings`: how a space is set, what waits for an answer, and what an emergency sees."""

OPEN = ("/Patient/{space}/$space-settings",)

TOLD = (("settings", "/Patient/{space}/$space-settings"),)
