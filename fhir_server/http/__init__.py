"""Flask lives here: views parse, call and render. No rule, no store."""
