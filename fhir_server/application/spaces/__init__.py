"""The life of a patient's space, and break-glass access to it. Not the consents that a patient gives."""
