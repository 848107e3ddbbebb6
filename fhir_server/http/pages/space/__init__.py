"""Pages about a patient's space as a whole: emergencies, requests, its state; no page about single documents."""
