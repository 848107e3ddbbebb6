"""The machine endpoints of the authorization server, and discovery. Their logic is in oauth/."""
