"""Pages around the sign-in: sign in, consent to an app, manage one's own apps and factors."""
