"""The frame of all pages of signed-in people: roles, visits, routes, forms; no page of a single role lives here."""
