"""
The bus inside one process.

A topic's casts wait in its queue and are handled by its own threads; a call runs the handler in the caller's thread, for there
is nobody in between to wait for. A handler that raises is logged and does not stop the topic: whatever the message was to bring
about is found again by the next pass over the records, as when a message is lost.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection

import structlog

from kilonova.rpc.bus import Handler, NoAnswer
from kilonova.rpc.messages import Message

_log = structlog.get_logger(__name__)


class InProcessBus:
    """A `Bus` of queues and threads."""

    def __init__(self) -> None:
        self._topics: dict[str, list[_Server]] = {}
        self._followers: dict[str, tuple[_Server, ...]] = {}
        self._lock = threading.Lock()

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        """Handle a topic's messages in `workers` threads (0: in the thread that casts), until the returned function is called."""
        server = _Server(topic, handler, workers)
        with self._lock:
            self._topics[topic] = [*self._topics.get(topic, []), server]

        def stop() -> None:
            with self._lock:
                self._topics[topic] = [other for other in self._topics.get(topic, ()) if other is not server]
                self._let_go(server, server.follows)
                server.follows = frozenset()
            server.stop()

        return stop

    def cast(self, topic: str, message: Message) -> None:
        """Send to one of those who serve the topic; to nobody when there is none."""
        servers = self._topics.get(topic)
        if servers:
            servers[0].take(message)

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        """Ask, in this thread. Raises NoAnswer at once when nobody serves the topic or the handler fails."""
        servers = self._topics.get(topic)
        if not servers:
            raise NoAnswer(f"nobody serves {topic}")
        try:
            answer = servers[0].handler(message)
        except Exception as error:
            _log.exception("a call failed", topic=topic, message=type(message).__name__)
            raise NoAnswer(f"{topic} failed on {type(message).__name__}") from error
        if answer is None:
            raise NoAnswer(f"{topic} has no answer to {type(message).__name__}")
        return answer

    def fanout(self, topic: str, message: Message) -> None:
        """Send to all who serve the topic."""
        for server in (*self._topics.get(topic, ()), *self._followers.get(topic, ())):
            server.take(message)

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        """Have who serves `topic` hear what is fanned out to these subjects too, and to no others."""
        with self._lock:
            for server in self._topics.get(topic, ()):
                self._let_go(server, server.follows.difference(subjects))
                for subject in set(subjects) - server.follows:
                    self._followers[subject] = (*self._followers.get(subject, ()), server)
                server.follows = frozenset(subjects)

    def _let_go(self, server: _Server, subjects: Collection[str]) -> None:
        for subject in subjects:
            left = tuple(other for other in self._followers.pop(subject, ()) if other is not server)
            if left:
                self._followers[subject] = left

    def close(self) -> None:
        """Handle what was sent, and end."""
        with self._lock:
            servers = [server for topic in self._topics.values() for server in topic]
            self._topics, self._followers = {}, {}
        for server in servers:
            server.stop()


class _Server:
    def __init__(self, topic: str, handler: Handler, workers: int) -> None:
        self.topic, self.handler = topic, handler
        self.follows: frozenset[str] = frozenset()
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{topic}-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def take(self, message: Message) -> None:
        if self._threads:
            self._queue.put(message)
        else:
            self._handle(message)

    def stop(self) -> None:
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _work(self) -> None:
        while (message := self._queue.get()) is not None:
            self._handle(message)

    def _handle(self, message: Message) -> None:
        try:
            self.handler(message)
        except Exception:  # noqa: BLE001 - see the module's text
            _log.exception("a message could not be handled", topic=self.topic, message=type(message).__name__)
