"""What was granted and in which shape it is kept: codes, tokens, launches, scopes. Nobody is asked here."""
