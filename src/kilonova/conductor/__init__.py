"""What takes several steps: the saga kernel, the sagas and the reconcilers."""
