"""Search criteria, tokens and dates. Not what a caller may see."""
