"""Image use cases: records, members, and the bits, which nobody trusts."""
