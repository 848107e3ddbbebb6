"""Accounts of people, registered apps, and their grants. Not what they may see, and no protocol."""
