"""Servers: what clients send (`params`, `filters`), what they see (`views`, `render`), and the routes (`resource`)."""
