"""Clients that boot servers through one API for as long as its port is open, and know what each of them heard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2

from tests.fleet import Client

_runs = itertools.count(1)


class Hammering:
    """
    Each client keeps its connection, and sends one request after the other.

    `outcomes`: the status that was heard, by the server's name; None when the connection was closed with nothing said.
    """

    def __init__(self, client: Client, url: str, image: str) -> None:
        self.prefix = f"drain{next(_runs)}"
        self.outcomes: dict[str, int | None] = {}
        self._headers, self._url, self._image = dict(client.http.headers), url, image
        self._numbers = itertools.count()

    @property
    def accepted(self) -> list[str]:
        """The servers that somebody was told 202 for."""
        return [name for name, status in list(self.outcomes.items()) if status == 202]

    @contextmanager
    def by(self, clients: int) -> Iterator[None]:
        """So many clients, until the port is closed, which has to be before the block ends."""
        with ThreadPoolExecutor(clients) as pool:
            under_way = [pool.submit(self._run) for _ in range(clients)]
            yield
            for one in under_way:
                one.result(60)

    def _run(self) -> None:
        with httpx2.Client(base_url=self._url, headers=self._headers, timeout=60.0, trust_env=False) as http:
            while True:
                name = f"{self.prefix}-{next(self._numbers)}"
                wanted = {"name": name, "flavorRef": "1", "imageRef": self._image, "networks": "auto"}
                try:
                    self.outcomes[name] = http.post("/compute/v2.1/servers", json={"server": wanted}).status_code
                except httpx2.ConnectError:
                    return
                except httpx2.TransportError:
                    self.outcomes[name] = None

    def servers(self, client: Client) -> dict[str, str]:
        """The status of every server that came of it, by name."""
        found: dict[str, str] = {}
        marker = ""
        while page := client.ok("GET", f"/servers/detail?name=^{self.prefix}-&limit=500{marker}")["servers"]:
            found |= {one["name"]: one["status"] for one in page}
            marker = f"&marker={page[-1]['id']}"
        return found
