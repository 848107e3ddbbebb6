"""Patients, professionals and organizations as resources. Not their accounts."""
