"""A module for each position that somebody attacks from."""
