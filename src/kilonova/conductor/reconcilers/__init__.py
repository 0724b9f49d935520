"""Reconcilers: each pushes what is towards what should be, acting only on what it reads. `base` runs them."""
