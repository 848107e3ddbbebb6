"""The worker's looks at accesses that nobody explains: reads the audit log, keeps what the rules need, opens cases."""
