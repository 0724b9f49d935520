"""Which transport a URL names."""

from __future__ import annotations

from importlib import import_module
from urllib.parse import urlsplit

from kilonova.domain.errors import Rejected
from kilonova.rpc.bus import Bus, Gate, Share
from kilonova.rpc.inprocess import InProcessBus


def make_bus(url: str, gate: Gate | None = None, share: Share | None = None) -> Bus:
    """
    The bus at `url`: `memory://` is inside this process, `amqp://user:password@host:port/vhost` (`amqps://`) RabbitMQ.

    Raises Rejected for another, and for certificate files that cannot be used.

    Gate and share are for what comes from other processes; inside one there is nobody to keep out.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return InProcessBus()
    if scheme in ("amqp", "amqps"):
        # Not imported by a cloud in one process, which does without it.
        bus: Bus = import_module("kilonova.rpc.amqp").AmqpBus(url, gate=gate, share=share)
        return bus
    raise Rejected(
        f"There is no bus {scheme + '://' if scheme else 'without a scheme'}.",
        next_step="say memory:// (one process), or amqp:// or amqps://user:password@host:port/vhost (RabbitMQ)",
    )
