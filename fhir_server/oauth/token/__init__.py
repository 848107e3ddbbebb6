"""What clients call: tokens, introspection, registration; and how a client proves who it is."""
