"""The HTTP rim: OpenStack's own API, one package per service, written in `framework`."""
