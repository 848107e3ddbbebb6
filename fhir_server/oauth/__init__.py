"""The authorization server, based on Authlib and joserfc: protocol and people's logins. No web framework, no page."""
