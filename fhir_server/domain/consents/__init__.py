"""Consent resources and the directives that they state. Not the rules about who may record them."""
