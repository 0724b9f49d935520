"""Use cases of images and their data: the embedded Image v2."""
