"""Working the outbox: leases, repeats, dead letters. What a lane does is in the room that it is about."""
