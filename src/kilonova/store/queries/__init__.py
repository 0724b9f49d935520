"""Named queries, a module an aggregate. Each takes an open `Tx`."""
