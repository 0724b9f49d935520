"""
The dead letters: looked at, sent again, or thrown away.

RabbitMQ lets nobody look into a queue: what is read is taken out, and put back when the channel closes. So a look takes all the
letters into its hands, in their order, and lets go of them at the end; two who look at once see each a part. Nothing can be lost
by it, for a letter leaves the queue only by an acknowledgement, and that is given after the broker has confirmed the letter's new
place, or when it is to be dropped.

Only casts are sent again. Who asked a question has long had its `NoAnswer`, and a fan-out was about a moment that is past.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from kombu.connection import Connection

from kilonova.domain.errors import Conflict, Missing, Unavailable
from kilonova.rpc.amqp.address import address
from kilonova.rpc.amqp.names import DEAD_LETTERS, EXCHANGE, cast_key, ensure_exchange
from kilonova.rpc.amqp.service import ON_BEHALF_OF

_ANSWER_S = 10.0
_UNKNOWN = "?"
_KINDS_OF_QUEUES = ("cast", "call")


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """
    One of them. `sender` is the account that the broker vouched for, `died_at` ISO 8601 in UTC, `body` the message as it came:
    JSON, unless it is here for not being that.
    """

    id: str
    type: str
    kind: str
    topic: str
    sender: str
    why: str
    died_at: str
    body: str


class DeadLetters:
    """The dead letters of the bus at `url`. Raises Rejected for one that cannot be used, Unavailable when the broker is away."""

    def __init__(self, url: str) -> None:
        first = url.partition(";")[0]
        self._address = address(first)
        self._user = unquote(urlsplit(first).username or "guest")

    def every(self) -> list[DeadLetter]:
        """All, oldest first."""
        with self._channel() as channel:
            return [letter for letter, _ in _read(channel)]

    def get(self, id_: str) -> DeadLetter:
        """One. Raises Missing."""
        found: DeadLetter = _chosen(self.every(), [id_], lambda letter: letter)[0]
        return found

    def replay(self, ids: Collection[str] | None = None) -> list[DeadLetter]:
        """Send these again, or all casts there are. Raises Missing, or Conflict for one that cannot be; then none is sent."""
        with self._channel() as channel:
            pairs = list(_read(channel))
            chosen = _chosen(pairs, ids, lambda pair: pair[0])
            casts = [pair for pair in chosen if pair[0].kind == "cast"]
            if ids is not None and len(casts) < len(chosen):
                raise Conflict("Only casts can be replayed: nobody waits for the others any more.")
            for letter, raw in casts:
                self._send_again(channel, letter, raw)
                channel.basic_ack(raw.delivery_tag)
            return [letter for letter, _ in casts]

    def drop(self, ids: Collection[str] | None = None) -> list[DeadLetter]:
        """Throw these away, or all. Raises Missing; then none is dropped."""
        with self._channel() as channel:
            chosen = _chosen(list(_read(channel)), ids, lambda pair: pair[0])
            for _, raw in chosen:
                channel.basic_ack(raw.delivery_tag)
            return [letter for letter, _ in chosen]

    def _send_again(self, channel: Any, letter: DeadLetter, raw: Any) -> None:
        message = channel.prepare_message(
            raw.body,
            content_type="application/json",
            headers={ON_BEHALF_OF: letter.sender},
            properties={"delivery_mode": 2, "message_id": letter.id, "type": letter.type, "user_id": self._user},
        )
        unroutable: list[str] = []
        channel.events["basic_return"] = {lambda *_: unroutable.append(letter.topic)}
        channel.basic_publish_confirm(message, EXCHANGE, cast_key(letter.topic), mandatory=True)
        if unroutable:
            raise Conflict(f"Nobody has ever served {letter.topic}: {letter.id} cannot be replayed.")

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        options = {"read_timeout": _ANSWER_S, "write_timeout": _ANSWER_S}
        kombu = Connection(**self._address, connect_timeout=_ANSWER_S, transport_options=options)
        try:
            connection: Any = kombu.connect()
            ensure_exchange(connection)
            with connection.channel() as channel:
                yield channel
        except kombu.connection_errors + kombu.channel_errors as why:
            raise Unavailable(
                f"The broker does not answer: {why}.", next_step="look at the bus's URL, and whether RabbitMQ runs"
            ) from why
        finally:
            kombu.release()


def _read(channel: Any) -> Iterator[tuple[DeadLetter, Any]]:
    while (raw := channel.basic_get(DEAD_LETTERS)) is not None:
        yield _letter(raw), raw


def _letter(raw: Any) -> DeadLetter:
    """What we buried says all of it in headers of ours; what the broker did, in `x-death`."""
    said = raw.properties
    headers = said.get("application_headers") or {}
    death = (headers.get("x-death") or [{}])[0]
    kind, _, topic = str(death.get("queue", "")).partition(":")
    time = death.get("time")
    return DeadLetter(
        id=str(said.get("message_id", _UNKNOWN)),
        type=str(said.get("type", _UNKNOWN)),
        kind=str(headers.get("kind") or (kind if kind in _KINDS_OF_QUEUES else _UNKNOWN)),
        topic=str(headers.get("topic") or topic or _UNKNOWN),
        sender=str(headers.get("sender") or said.get("user_id", _UNKNOWN)),
        why=str(headers.get("why") or f"the broker gave it up: {death.get('reason', _UNKNOWN)}"),
        died_at=str(headers.get("died-at") or (f"{time.isoformat()}+00:00" if time else _UNKNOWN)),
        body=raw.body if isinstance(raw.body, str) else raw.body.decode(errors="replace"),
    )


def _chosen(items: list[Any], ids: Collection[str] | None, letter_of: Callable[[Any], DeadLetter]) -> list[Any]:
    """Those with these ids, or ids that begin so; all of them for None. Raises Missing, Conflict."""
    if ids is None:
        return items
    found = []
    for id_ in ids:
        named = [item for item in items if id_ and letter_of(item).id.startswith(id_)]
        if not named:
            raise Missing("Dead letter", id_, next_step="kilonova dead-letters list")
        if len(named) > 1:
            raise Conflict(f"More than one dead letter begins with {id_}.", next_step="kilonova dead-letters list")
        found += named
    return list({letter_of(item).id: item for item in found}.values())
