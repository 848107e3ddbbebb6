"""The authorization server, on Authlib and joserfc."""
