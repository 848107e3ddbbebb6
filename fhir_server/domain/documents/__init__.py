"""Security labels and submissions of documents. Not how they are stored."""
