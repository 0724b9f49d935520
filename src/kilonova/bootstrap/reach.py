"""Which machines a fleet itself needs, by its settings: guests are kept from them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from kilonova.config.fleet import FleetConfig
from kilonova.reconcilers.guest_reach import ReachSettings

_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - which says of a listener where it listens, and not where it is


def reach_settings(config: FleetConfig) -> ReachSettings:
    """The operator's lists, and the hosts of database, bus, API and listeners."""
    bus, network = config.bus, config.network
    urls = (
        config.database.url.reveal(),
        bus.url.reveal(),
        bus.management_url.reveal(),
        bus.url_for_hosts,
        config.api.public_url,
    )
    listeners = {config.api.host, *(one.health_host for one in (config.api, config.conductor, config.scheduler))}
    names = {name for url in urls for name in hosts_of(url)} | listeners
    return ReachSettings(
        closed=network.closed_to_guests, opened=network.open_to_guests, names=tuple(sorted(names - _EVERYWHERE))
    )


def hosts_of(urls: str) -> Iterator[str]:
    """The hosts that a URL names, or several parted by a semicolon: in its place, or as PostgreSQL's `host=`."""
    for url in urls.split(";"):
        parts = urlsplit(url)
        for place in (parts.netloc.rpartition("@")[2], *parse_qs(parts.query).get("host", ())):
            for one in place.split(","):
                name = one[1:].partition("]")[0] if one.startswith("[") else one.partition(":")[0]
                if name and not name.startswith("/"):  # a socket's folder
                    yield name
