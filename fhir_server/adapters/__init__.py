"""The outside: stores, encryption, contents. Only the composition root and the command line import from here."""
