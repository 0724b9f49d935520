"""The same hostile records in SQLite and PostgreSQL, and every named query asked of both."""
