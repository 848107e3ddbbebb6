"""The decision: who gets a permit for a space and what the permit shows; nothing here records or files."""
