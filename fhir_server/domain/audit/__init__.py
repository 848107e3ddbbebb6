"""What happened, and the AuditEvent that tells it. Not the writing of the log."""
