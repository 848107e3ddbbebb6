"""Flask lives here: a view parses the request, calls the application and renders the answer. No rule, no store."""
