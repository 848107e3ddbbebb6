"""The habilitation matrix: its table, imported versions, differences between versions, and when each is in force."""
