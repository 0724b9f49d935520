"""Bus users of hosts that are only remembered."""

from __future__ import annotations

from kilonova.domain.errors import Unavailable


class RememberedAccounts:
    """Gives every host a URL with the number of its account in it, of `scheme`; `is_down` refuses everything."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.allowed: list[str] = []
        self.silenced: list[str] = []
        self.lacks: set[str] = set()
        self.times_bounded = 0
        self.is_down = False
        self.scheme = "amqp"
        self._count = 0

    def create(self, host: str) -> str:
        self._check()
        self._count += 1
        self.held[host] = self._count
        return f"{self.scheme}://host.{host}:{self._count}@broker/kilonova"

    def remove(self, host: str) -> None:
        self._check()
        self.held.pop(host, None)

    def allow(self, host: str) -> None:
        self._check()
        self.allowed.append(host)
        self.lacks.discard(host)

    def hosts(self) -> list[str]:
        self._check()
        return sorted(self.held)

    def silence(self, host: str) -> None:
        self._check()
        self.silenced.append(host)

    def bound_queues(self) -> None:
        self._check()
        self.times_bounded += 1

    def lacking(self) -> list[str]:
        self._check()
        return sorted(self.lacks)

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("RabbitMQ does not answer.")
