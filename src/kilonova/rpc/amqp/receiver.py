"""
What comes in: consumers of every topic that this process serves, and its answers.

All of it is on one channel, which belongs to the link's thread. Workers settle by putting verdicts into a queue and waking that
thread. A verdict on a message of an earlier connection is nothing: the broker took that message back when the connection ended,
and has given it to somebody again.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from kilonova.domain.host_access import host_of
from kilonova.rpc.amqp import wire
from kilonova.rpc.amqp.calls import Calls
from kilonova.rpc.amqp.names import (
    EXCHANGE,
    FROM_HOSTS,
    HEARS_HOSTS,
    call_queue,
    cast_queue,
    ensure_exchanges,
    fanout_key,
    fanout_queue,
    reply_queue,
)
from kilonova.rpc.amqp.pace import Pace
from kilonova.rpc.amqp.service import Delivery, Kind, Service, Verdict

_AT_ONCE = 50  # topics taken up in one go: a process of a thousand must say its heartbeats in between


class Receiver:
    """A link's handler. `wake` wakes its thread."""

    def __init__(self, calls: Calls, user: str, pace: Pace, wake: Callable[[], None]) -> None:
        self._calls, self._user, self._pace, self._wake = calls, user, pace, wake
        self._lock = threading.Lock()
        self._services: list[Service] = []
        self._leaving: list[tuple[Service, threading.Event]] = []
        self._to_bind: set[Service] = set()
        self._verdicts: queue.SimpleQueue[tuple[Delivery, Verdict]] = queue.SimpleQueue()
        self._later: list[tuple[float, int, Delivery]] = []
        self._count = itertools.count()
        self._channel: Any = None
        self._prefetch = 0  # that the channel was told
        self.address: str | None = None  # where answers come to, while connected

    # --- from any thread ---

    def add(self, service: Service) -> None:
        """Serve it from now on, over this connection and all that follow."""
        with self._lock:
            self._services.append(service)
        self._wake()

    def remove(self, service: Service) -> threading.Event:
        """Take nothing more for it; the event says that nothing more will come."""
        gone = threading.Event()
        with self._lock:
            self._services.remove(service)
            if service.is_served.is_set():
                self._leaving.append((service, gone))
            else:
                gone.set()
        self._wake()
        return gone

    def follow(self, service: Service, subjects: Collection[str]) -> None:
        """Have it hear what is fanned out to these subjects, over this connection and all that follow."""
        service.follows = frozenset(subjects)
        with self._lock:
            self._to_bind.add(service)
        self._wake()

    def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        """Give the verdict on a message."""
        self._verdicts.put((delivery, verdict))
        self._wake()

    # --- in the link's thread ---

    def opened(self, connection: Any) -> None:
        """Have answers come, and serve again what was served."""
        ensure_exchanges(connection, self._user)
        self._channel, self._prefetch = connection.channel(), 0
        address = f"{self._user}:{uuid.uuid4().hex}"
        answers = reply_queue(address)(self._channel)
        answers.declare()
        self._let_hosts_in(answers)
        self._channel.basic_consume(answers.name, no_ack=True, callback=self._answered)
        while self._serve_new():  # all of them before the link counts as up: whoever is told so may call
            connection.heartbeat_tick()
        self.address = address

    def work(self) -> float | None:
        """Carry out verdicts, and take up and leave topics."""
        has_more = self._serve_new()
        self._leave()
        self._bind()
        while not self._verdicts.empty():
            self._carry_out(*self._verdicts.get())
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._hand_back(heapq.heappop(self._later)[2])
        if has_more:
            return 0.0
        return self._later[0][0] - now if self._later else None

    def failed(self, error: Exception) -> None:
        """Nothing can be settled any more, and no answer come."""
        self._channel = self.address = None
        self._later = []
        with self._lock:
            services, leaving = list(self._services), self._leaving
            self._leaving = []
        for service in services:
            service.is_served.clear()
        for _, gone in leaving:
            gone.set()
        self._calls.give_up_all(f"the broker is away: {error}")

    def blocked(self, is_blocked: bool) -> None:  # noqa: FBT001 - the broker's own yes or no
        """Concerns who publishes."""

    def _serve_new(self) -> bool:
        """Take up some of the topics that are not served yet; whether there may be more."""
        with self._lock:
            new = [service for service in self._services if not service.is_served.is_set()][:_AT_ONCE]
        if not new:
            return False
        for service in new:
            address = f"{self._user}:{uuid.uuid4().hex}"
            queues = {
                Kind.CAST: cast_queue(service.topic),
                Kind.CALL: call_queue(service.topic),
                Kind.FANOUT: fanout_queue(service.topic, address),
            }
            self._set_prefetch(service.prefetch)
            service.tags = [self._consume(service, kind, one) for kind, one in queues.items()]
            service.fanouts, service.followed = queues[Kind.FANOUT].name, frozenset()
            self._to_bind.add(service)
        # The only request that is waited for: the broker answers it when it has carried out all before it.
        self._channel.basic_qos(0, self._prefetch, False)
        with self._lock:
            for service in new:
                service.is_served.set()
                if service not in self._services:  # it was removed while it was taken up
                    self._leaving.append((service, threading.Event()))
        return len(new) == _AT_ONCE

    def _bind(self) -> None:
        """Have the queues of those who follow bound to just what they follow."""
        with self._lock:
            found, self._to_bind = [one for one in self._to_bind if one.is_served.is_set()], set()
        for service in found:
            wanted = service.follows
            for subject in wanted - service.followed:
                self._channel.queue_bind(service.fanouts, EXCHANGE, fanout_key(subject), nowait=True)
            for subject in service.followed - wanted:
                self._channel.queue_unbind(service.fanouts, EXCHANGE, fanout_key(subject))
            service.followed = wanted

    def _set_prefetch(self, prefetch: int) -> None:
        """For the consumers that follow."""
        if prefetch != self._prefetch:
            self._channel.basic_qos(0, prefetch, False)
            self._prefetch = prefetch

    def _consume(self, service: Service, kind: Kind, made: Any) -> str:
        bound = made(self._channel)
        bound.declare(nowait=True)
        if service.topic == HEARS_HOSTS and kind is not Kind.FANOUT:
            self._let_hosts_in(bound)
        callback = partial(self._delivered, service, kind)
        tag = uuid.uuid4().hex
        self._channel.basic_consume(bound.name, consumer_tag=tag, callback=callback, nowait=True)
        return tag

    def _let_hosts_in(self, queue: Any) -> None:
        """Have what hosts say to this queue come too, if it is one of the control plane's."""
        if host_of(self._user) is None:
            self._channel.queue_bind(queue.name, FROM_HOSTS, queue.routing_key, nowait=True)

    def _leave(self) -> None:
        with self._lock:
            leaving, self._leaving = self._leaving, []
        for service, gone in leaving:
            service.is_served.clear()
            for tag in service.tags:
                self._channel.basic_cancel(tag)
            gone.set()

    def _delivered(self, service: Service, kind: Kind, raw: Any) -> None:
        service.take(Delivery(kind, service.topic, raw, time.monotonic()))

    def _answered(self, raw: Any) -> None:
        question = self._calls.find(raw.properties.get("correlation_id"))
        if question is None:
            return  # it came too late
        headers = raw.properties.get("application_headers") or {}
        if "no-answer" in headers:
            question.give_up(str(headers["no-answer"]))
            return
        try:
            question.answer(wire.decode(raw.body))
        except wire.Unreadable as why:
            question.give_up(f"the answer could not be read: {why}")

    def _carry_out(self, delivery: Delivery, verdict: Verdict) -> None:
        if delivery.raw.channel is not self._channel:
            return
        if verdict is Verdict.DONE:
            self._channel.basic_ack(delivery.raw.delivery_tag)
        elif verdict is Verdict.DEAD:
            self._channel.basic_reject(delivery.raw.delivery_tag, requeue=False)
        elif verdict is Verdict.AGAIN:
            due = time.monotonic() + self._pace.retry_after(delivery.number)
            heapq.heappush(self._later, (due, next(self._count), delivery))
        else:
            self._hand_back(delivery)

    def _hand_back(self, delivery: Delivery) -> None:
        self._channel.basic_reject(delivery.raw.delivery_tag, requeue=True)
