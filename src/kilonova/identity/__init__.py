"""Identity use cases: who may ask, in which scope, and the catalog that says where."""
