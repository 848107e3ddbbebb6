"""What every command and query uses: decision, audit log, unit of work, notices. No use case of its own."""
