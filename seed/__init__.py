"""The invented people and documents of the demonstration, loaded through the use cases."""
