"""Pages for developers, in the demonstration alone: nothing here is served where people are real."""
