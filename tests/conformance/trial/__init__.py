"""The trial of a new resource type, in a copy of the project: its handler, its edits and what must then hold."""
