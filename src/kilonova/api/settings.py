"""
What an API takes of its clients at once, and how long it waits for them. A fleet's file has it in `[api]`, an embedded cloud's
settings under `api`; texts, limits and defaults are here and nowhere else.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from kilonova.domain.addresses import ip_network

Threads = Annotated[int, Meta(ge=1, le=1000)]
Waiting = Annotated[int, Meta(ge=0, le=100_000)]
AtOnce = Annotated[int, Meta(ge=1, le=100_000)]


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of an API process. `trusted_proxies` are read as addresses and ranges (CIDR)."""

    threads: Annotated[Threads, Meta(description="Requests worked on at once.")] = 32
    waiting: Annotated[
        Waiting, Meta(description="Requests that may wait for a thread; more get 503 with Retry-After.")
    ] = 1024
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses and ranges (CIDR) of the proxies and balancers before this API. Of these alone"
            " X-Forwarded-For and X-Forwarded-Proto are believed: a client is the last hop there that is none of them."
        ),
    ] = ()
    connections: Annotated[
        AtOnce,
        Meta(
            description="Connections at once; more get 503 with Retry-After, but health and metrics. The process raises its limit"
            " of descriptors as far as it may, and takes fewer connections where that is not enough."
        ),
    ] = 4096
    connections_per_address: Annotated[
        AtOnce,
        Meta(
            description="Of these, one address' (of IPv6 one /64's), trusted proxies apart; more get 429 with Retry-After."
        ),
    ] = 512
    keep_alive_s: Annotated[
        int, Meta(ge=1, le=3600, description="Seconds that a connection may be idle between two requests.")
    ] = 75
    body_s: Annotated[
        int, Meta(ge=1, le=3600, description="Seconds in which a request's body must be there, uploads apart.")
    ] = 60
    login_waiting: Annotated[
        Waiting,
        Meta(
            description="Logins that may wait for their secret to be hashed, which has threads of its own; more get 503 with"
            " Retry-After."
        ),
    ] = 256
    uploads: Annotated[AtOnce, Meta(description="Uploads at once; more get 503 with Retry-After.")] = 64
    downloads: Annotated[
        AtOnce, Meta(description="Downloads at once; more get 503 with Retry-After. Hosts have as many of their own.")
    ] = 256
    project_uploads: Annotated[
        AtOnce, Meta(description="Of these, one project's uploads; more get 429 with Retry-After.")
    ] = 8
    project_downloads: Annotated[AtOnce, Meta(description="The same of its downloads.")] = 16
    host_downloads: Annotated[AtOnce, Meta(description="And of one host's.")] = 8
    websockets: Annotated[AtOnce, Meta(description="Websockets at once; more get 503 with Retry-After.")] = 512
    project_websockets: Annotated[
        AtOnce, Meta(description="Of these, one project's (or one address' without a token); more get 429.")
    ] = 32
    websocket_idle_s: Annotated[
        float, Meta(ge=1, le=86_400, description="Seconds after which a websocket ends on which nothing was said.")
    ] = 1800.0
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins (https://console.example.org) whose pages may open websockets here, besides this API's own."
        ),
    ] = ()
    event_streams: Annotated[AtOnce, Meta(description="Streams of events at once; more get 503.")] = 1024
    project_event_streams: Annotated[AtOnce, Meta(description="Of these, one project's; more get 429.")] = 64
    least_rate: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 20,
            description="Bytes a second that a client must send of a body, uploads too, and take of an answer, downloads too,"
            " over rate_window_s; a slower one is cut off.",
        ),
    ] = 1024
    rate_window_s: Annotated[
        float, Meta(ge=0.1, le=600, description="The seconds that least_rate is measured over.")
    ] = 15.0

    def __post_init__(self) -> None:
        """Write ranges as they are compared."""
        try:
            ranges = tuple(str(ip_network(one, strict=False)) for one in self.trusted_proxies)
        except ValueError as problem:
            raise ValueError(f"trusted_proxies holds what is neither an address nor a range: {problem}") from None
        msgspec.structs.force_setattr(self, "trusted_proxies", ranges)
