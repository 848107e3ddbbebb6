"""Grants and how they are stored: codes, tokens, launches, scopes. No questions to a person."""
