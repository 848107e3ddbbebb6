"""Which accesses only their actor can explain, and the named rules that call the officer. No document is named here."""
