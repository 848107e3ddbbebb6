"""Consents: who may record which, and how they are stored. Not what the rules conclude from them."""
