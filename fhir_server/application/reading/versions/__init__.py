"""Histories: the versions of resources within a window of time."""
