"""The Compute API v2.1, microversions 2.1 to 2.104: a file a resource, put together in `service.py`."""
