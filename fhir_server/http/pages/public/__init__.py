"""Pages and documents for everybody, signed in or not. Nothing here is about a patient."""
