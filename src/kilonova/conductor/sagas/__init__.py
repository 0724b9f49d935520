"""The sagas, a module a verb."""
