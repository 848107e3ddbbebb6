"""What can happen: the kinds of events, one row for each, and their words. Not what an event is written as."""
