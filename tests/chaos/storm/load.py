"""
Who boots and deletes throughout a storm, and remembers what was answered.

A request that no answer came to may have been carried out or not; one that was answered with 202 or 204 must be.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Self

import httpx2

from tests.fleet import Client

_PATIENCE_S = 10.0
REFUSALS = frozenset({409, 429, 503})  # what a client may be told in a storm


class Record(NamedTuple):
    """What was asked, by name of the server. `accepted` has their ids; `deleted` were answered with 204, `maybe_deleted` not."""

    accepted: dict[str, str]
    unheard: set[str]
    deleted: set[str]
    maybe_deleted: set[str]
    refused: Counter[int]


class Load(AbstractContextManager["Load"]):
    """
    As many threads as clients, together `per_s` boots a second; and deletions, once there are more than `most` servers.

    Leaving the block ends it; `record` is of what was asked until then.
    """

    def __init__(self, clients: list[Client], wanted: dict[str, Any], *, per_s: float, most: int, seed: int) -> None:
        self.record = Record({}, set(), set(), set(), Counter())
        self._wanted, self._seed, self._most = wanted, seed, most // len(clients)
        self._pause_s = len(clients) / per_s
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(client, number)) for number, client in enumerate(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: Client, number: int) -> None:
        chance = random.Random(f"load/{self._seed}/{number}")
        client.http.timeout = httpx2.Timeout(_PATIENCE_S)
        living: list[str] = []
        count = 0
        while not self._stopping.wait(self._pause_s):
            count += 1
            name = f"storm-{number}-{count}"
            if self._boot(client, name):
                living.append(name)
            if len(living) > self._most:
                self._delete(client, living.pop(chance.randrange(len(living))))

    def _boot(self, client: Client, name: str) -> bool:
        try:
            answer = client.ask("POST", "/servers", {"server": self._wanted | {"name": name}})
        except httpx2.TransportError:
            self.record.unheard.add(name)
            return False
        if answer.status_code != 202:
            self.record.refused[answer.status_code] += 1
            return False
        self.record.accepted[name] = answer.json()["server"]["id"]
        return True

    def _delete(self, client: Client, name: str) -> None:
        try:
            answer = client.ask("DELETE", f"/servers/{self.record.accepted[name]}")
        except httpx2.TransportError:
            self.record.maybe_deleted.add(name)
            return
        if answer.status_code == 204:
            self.record.deleted.add(name)
        else:
            self.record.refused[answer.status_code] += 1
