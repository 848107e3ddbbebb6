"""Consents: who may record which Consent, and how Consents are stored. Not what the rules conclude from them."""
