"""Types whose resources come from the code: building the resources, and serving them without a token."""
