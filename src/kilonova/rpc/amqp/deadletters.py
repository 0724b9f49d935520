"""
The dead letters: looked at, sent again, or thrown away.

RabbitMQ lets nobody look into a queue: what is read is taken out, and put back when the channel closes. So a look takes all the
letters into its hands, in their order, and lets go of them at the end; two who look at once see each a part. Nothing can be lost
by it, for a letter leaves the queue only by an acknowledgement, and that is given after the broker has confirmed the letter's new
place, or when it is to be dropped.

Whom a letter is from is the broker's word and nobody else's (`origin.py`). What one of ours gave up says in headers where it
was to go and whom it was from; what came through the broker's hand says it in the broker's (`x-death`, `user_id`); the headers of
a letter that a host wrote, or nobody, are read by none. A letter from nobody is not sent again: it would go as ours.

What letters say of guests that is secret is not shown: most of it is sealed, and of that which is not (a host's agent is of an
earlier release) its owner's password is nobody's business.

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
from kilonova.rpc.amqp.names import DEAD_LETTERED, DEAD_LETTERS, EXCHANGE, cast_key, ensure_exchanges
from kilonova.rpc.amqp.origin import ON_BEHALF_OF, is_ours, origin, verified
from kilonova.rpc.amqp.unsaid import without_secrets

_ANSWER_S = 10.0
_UNKNOWN = "?"
_KINDS_OF_QUEUES = ("cast", "call")
_TOLD = ("kind", "topic", "sender", "why", "died-at")
_GIVEN_UP = {"rejected": "its host refused it or failed on it; the log of that host's agent says why"}


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """
    One of them. `sender` is the account that the broker vouched for, "" for none; `died_at` ISO 8601 in UTC; `body` the message,
    JSON unless it is here for not being that, without its secrets.
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
        """Send these again, or all that can be. Raises Missing, or Conflict for one that cannot be; then none is sent."""
        with self._channel() as channel:
            pairs = list(_read(channel))
            chosen = _chosen(pairs, ids, lambda pair: pair[0])
            good = [pair for pair in chosen if not _why_not(pair[0])]
            if ids is not None and len(good) < len(chosen):
                raise Conflict(next(why for letter, _ in chosen if (why := _why_not(letter))))
            for letter, raw in good:
                self._send_again(channel, letter, raw)
                channel.basic_ack(raw.delivery_tag)
            return [letter for letter, _ in good]

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
            ensure_exchanges(connection, self._user)
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


def _why_not(letter: DeadLetter) -> str:
    """Why it cannot be sent again; empty when it can."""
    if not letter.sender:
        return f"The broker vouches for no sender of {letter.id}: it is not replayed."
    return "" if letter.kind == "cast" else "Only casts can be replayed: nobody waits for the others any more."


def _letter(raw: Any) -> DeadLetter:
    said = raw.properties
    headers = said.get("application_headers") or {}
    from_us = is_ours(verified(said)) and DEAD_LETTERED in headers
    told = {name: str(headers.get(name, "")) for name in _TOLD} if from_us else _of_the_broker(said, headers)
    return DeadLetter(
        id=str(said.get("message_id", _UNKNOWN)),
        type=str(said.get("type", _UNKNOWN)),
        body=without_secrets(raw.body if isinstance(raw.body, str) else raw.body.decode(errors="replace")),
        kind=told["kind"] or _UNKNOWN,
        topic=told["topic"] or _UNKNOWN,
        sender=told["sender"],
        why=told["why"],
        died_at=told["died-at"] or _UNKNOWN,
    )


def _of_the_broker(said: dict[str, Any], headers: dict[str, Any]) -> dict[str, str]:
    """
    What the broker says of a letter that it put here itself.

    One without `x-death` was written here by hand, or by an earlier release: nothing that it says of itself is believed.
    """
    death = (headers.get("x-death") or [{}])[0]
    kind, _, topic = str(death.get("queue", "")).partition(":")
    time = death.get("time")
    reason = str(death.get("reason", ""))
    return {
        "kind": kind if kind in _KINDS_OF_QUEUES else "",
        "topic": topic,
        "sender": origin(said) if death else "",
        "why": _GIVEN_UP.get(reason, f"the broker gave it up: {reason}") if death else "it was not put here by us",
        "died-at": f"{time.isoformat()}+00:00" if time else "",
    }


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
