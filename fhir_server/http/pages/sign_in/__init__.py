"""Pages on the way in: sign in, consent to an app, one's own apps and factors."""
