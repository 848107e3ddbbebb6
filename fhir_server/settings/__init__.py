"""Settings from the environment: one module for each subject. No other code reads an environment variable."""
