"""What was: the versions of resources within a window of time."""
