"""Pages of professionals: finding a patient, evidence of care, documents, filing, emergencies."""
