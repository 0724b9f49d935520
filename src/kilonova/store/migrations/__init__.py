"""
The schema's history, alembic's way: each module of `versions/` is one step, and works while the previous release's code runs.

`kilonova.store.schema` brings a database up to date; `make migration NAME=...` writes the next step from the tables.
"""
