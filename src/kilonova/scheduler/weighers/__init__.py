"""The weighers that come with Kilonova, a file each, by Nova's names."""
