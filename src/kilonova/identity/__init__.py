"""Use cases of users, projects, roles, tokens and the catalogue: the embedded Identity v3."""
