"""What the application asks of the outside; each promise is a test of tests/ports. No implementation."""
