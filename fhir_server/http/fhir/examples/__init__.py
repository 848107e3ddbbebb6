"""Examples of the OpenAPI document: requests of invented people, and what a server of the demonstration answered."""
