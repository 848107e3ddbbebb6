"""Consent resources and the directives that they state. Not who may record them."""
