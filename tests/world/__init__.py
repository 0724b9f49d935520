"""A whole control plane in one thread, on a clock that only moves when it is told to."""
