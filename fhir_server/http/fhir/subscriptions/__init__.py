"""Subscriptions over HTTP: their resources, and what the operations answer."""
