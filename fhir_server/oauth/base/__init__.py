"""Shared by all rooms of the authorization server: addresses, keys, requests and answers, outbound calls."""
