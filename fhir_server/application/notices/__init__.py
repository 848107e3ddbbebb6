"""How notices leave the space: by mail to people, by webhook to software."""
