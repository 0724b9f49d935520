"""Proposals to move servers: what each gains and why, within limits, and never against a filter."""
