"""Subscriptions: keeping them, deciding about each event anew, and delivering notifications; topics are values."""
