"""The machine endpoints of the authorization server, and discovery. What they do is in oauth/."""
