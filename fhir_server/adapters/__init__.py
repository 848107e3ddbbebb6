"""The outside: stores, sealing, contents. Only the composition root imports from here."""
