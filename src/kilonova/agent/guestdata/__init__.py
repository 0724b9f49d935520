"""What a guest may read of itself, in the two renderings of ADR 0002."""
