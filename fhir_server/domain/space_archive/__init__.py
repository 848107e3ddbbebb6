"""The archive of a space that a person takes along: how it is written, and how it is read elsewhere."""
