"""Joins: what a search follows references to, and what comes with its page. Every join has the caller's filters."""
