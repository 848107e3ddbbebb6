"""Ceilings: what is counted, within which limits, and what follows when one is reached. Nothing here decides access."""
