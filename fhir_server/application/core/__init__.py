"""What every command and query uses: decision, audit log, unit of work, notices. No command or query of its own."""
