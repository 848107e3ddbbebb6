"""`$summary`: the documents of a space by subject."""

OPEN = ("/Patient/{space}/$summary",)

TOLD = (("summary", "/Patient/{space}/$summary"),)
