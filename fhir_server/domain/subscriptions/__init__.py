"""Subscriptions as values: the topics, what a client asks for, and the notifications."""
