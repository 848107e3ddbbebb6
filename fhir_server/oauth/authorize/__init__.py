"""The way from an app's request to a person's consent: steps, choices, approval. It issues no token."""
