"""Pages about people: whom a space lets in and keeps out, relatives who act for the patient, and what a minor keeps."""
