"""
What goes out: the outbox, emptied over a connection of its own.

It is a connection apart from the receiver's because a broker that is short of memory or disk stops reading from those who
publish: acknowledgements, which make room, must still reach it then.

Many letters are in flight at once, and the broker confirms them when it likes, in any order. When it closes the channel over one
of them (an account that may not write there) it does not say which. Then one letter at a time is sent until the one that it
refuses is found and dropped: one bad letter must not hold up the others.
"""

from __future__ import annotations

import math
import time
from typing import Any

import structlog
from kombu.exceptions import ChannelError

from kilonova.rpc.amqp.calls import Calls
from kilonova.rpc.amqp.letter import Letter
from kilonova.rpc.amqp.names import EXCHANGE, ensure_exchanges
from kilonova.rpc.amqp.outbox import Outbox
from kilonova.rpc.amqp.pace import Pace

_log = structlog.get_logger(__name__)
_CAREFUL = 1
_BLOCKED_PAUSE_S = 0.1


class Sender:
    """A link's handler."""

    def __init__(self, outbox: Outbox, calls: Calls, user: str, pace: Pace) -> None:
        self._outbox, self._calls, self._user, self._pace = outbox, calls, user, pace
        self._channel: Any = None
        self._exchange = EXCHANGE
        self._number = 0  # of the last letter sent on this channel
        self._window = pace.window
        self._is_blocked = False

    def opened(self, connection: Any) -> None:
        """A channel on which the broker confirms."""
        self._exchange = ensure_exchanges(connection, self._user)
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._confirmed)
        channel.events["basic_nack"].add(self._not_taken)
        channel.events["basic_return"].add(self._returned)
        self._outbox.rewind()
        self._channel, self._number, self._is_blocked = channel, 0, False

    def work(self) -> float | None:
        """Send what may be sent."""
        while True:
            if self._is_blocked:
                return _BLOCKED_PAUSE_S
            now = time.monotonic()
            letter = self._outbox.take(self._number + 1, self._window, now)
            if letter is None:
                if self._window == _CAREFUL and self._outbox.is_through():
                    self._window = self._pace.window
                due = self._outbox.held_until()
                return None if math.isinf(due) else max(0.0, due - now)
            self._number += 1
            self._publish(letter)

    def failed(self, error: Exception) -> None:
        """What was in flight goes again over the next connection, unless it is what the broker refused."""
        if isinstance(error, ChannelError):
            if self._window == _CAREFUL:
                for letter in self._outbox.drop_in_flight():
                    _log.error("the broker refused a message; it is dropped", key=letter.key, why=str(error))
            self._window = _CAREFUL
        self._outbox.rewind()

    def blocked(self, is_blocked: bool) -> None:  # noqa: FBT001 - the broker's own yes or no
        """The broker is short of memory or disk; what is sent now would only wait in its socket."""
        _log.warning("the broker takes messages again" if not is_blocked else "the broker takes no messages for now")
        self._is_blocked = is_blocked

    def _publish(self, letter: Letter) -> None:
        properties = {"user_id": self._user, **letter.properties}
        message = self._channel.prepare_message(
            letter.body, content_type="application/json", headers=letter.headers, properties=properties
        )
        self._channel.basic_publish(message, letter.exchange or self._exchange, letter.key, mandatory=letter.mandatory)

    def _confirmed(self, number: int, multiple: bool) -> None:  # noqa: FBT001 - the library's own callback
        self._outbox.confirm(number, multiple=multiple)

    def _not_taken(self, number: int, multiple: bool) -> None:  # noqa: FBT001 - the library's own callback
        self._outbox.refuse(number, multiple=multiple, now=time.monotonic())

    def _returned(self, _: Exception, exchange: str, key: str, message: Any) -> None:
        """Nobody is there for it. The broker confirms it all the same, after this."""
        kind, topic = key.split(":", 1)
        question = self._calls.find(message.properties.get("correlation_id"))
        if question is not None:
            question.give_up(f"nobody serves {topic}")
        elif kind == "cast":
            _log.info(
                "nobody has served this topic yet: a message is lost", topic=topic, type=message.properties.get("type")
            )
