"""Builds the tiny guest from Debian's own packages, as any user: nothing is mounted, nothing is installed."""
