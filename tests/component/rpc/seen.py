"""What a handler has seen, to be waited for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from kilonova.rpc.messages import Message, Ok, SagaReady

WAIT_S = 30.0


class Seen:
    """A handler that remembers, and answers Ok. `fails` says of a message whether to raise."""

    def __init__(self, fails: Callable[[Message], bool] = lambda _: False) -> None:
        self._fails = fails
        self._changed = threading.Condition()
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> Message:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()
        if self._fails(message):
            raise ValueError("this handler fails")
        return Ok()

    def wait(self, *names: str) -> None:
        """Until each of these sagas has been named at least once."""
        with self._changed:
            found = self._changed.wait_for(lambda: set(names) <= set(self.counts()), WAIT_S)
        assert found, f"missing after {WAIT_S} s: {sorted(set(names) - set(self.counts()))[:10]}"

    def wait_count(self, count: int) -> None:
        """Until so many messages have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, WAIT_S), len(self.messages)

    def counts(self) -> Counter[str]:
        """How often each saga was named."""
        return Counter(one.saga_id for one in self.messages if isinstance(one, SagaReady))


def ready(name: str) -> SagaReady:
    return SagaReady(saga_id=name)
