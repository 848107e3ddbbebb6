"""Which accesses nobody but their actor can explain, and the named rules that call the officer; no documents here."""
