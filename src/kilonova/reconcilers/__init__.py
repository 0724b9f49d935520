"""
Reconcilers, one a module: each pushes what is towards what should be, acting only on what it reads. `base` runs them.

They stand above the rooms whose records they read, and the conductor, which they run beside, knows them by their names alone.
"""
