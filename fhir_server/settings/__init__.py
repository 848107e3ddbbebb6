"""What the environment sets: one module for each matter. No other code reads a variable."""
