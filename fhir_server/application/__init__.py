"""Commands and queries, grouped by subject; only this code holds the ports. No HTTP, no OAuth, no rule of access."""
