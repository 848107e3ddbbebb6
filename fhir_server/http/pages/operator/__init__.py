"""The pages of the operator of the server: its state, its tasks, its installation; no page reads a patient's data."""
