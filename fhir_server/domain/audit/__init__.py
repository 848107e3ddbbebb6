"""What happened, and the AuditEvent that records it. Not the writing of the audit log."""
