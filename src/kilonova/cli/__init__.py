"""The `kilonova` command."""
