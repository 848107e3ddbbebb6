"""Security labels and submissions of documents. Not how documents are stored."""
