"""What the application needs from outside; each promise has a test in tests/ports. No implementation."""
