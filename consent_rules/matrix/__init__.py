"""The habilitation matrix: its table, its versions from elsewhere, what a version changes and when it is in force."""
