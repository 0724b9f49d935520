"""
Hosts' users on RabbitMQ, made and removed through its management API.

A host's user has a random password and may do what `amqp.names.host_permissions` says: serve its own topic and answer, and speak
to the conductor. Making one that is there makes it anew, so that whoever held the old password is disconnected.

How many connections and channels it may have is bounded too, so that a host that goes mad takes from nobody what the broker
has. An agent has two connections, with a channel each and for a moment a second. The bound leaves room for its dead: a connection
that the network cut without a word counts until the broker misses its heartbeats, 30 s at most, and the agent is back within a
second. Seven such cuts in that time are let pass. After more it is refused, goes on trying every 5 s at the latest, and is let in
when the first of its dead are found out.

The account in `management_url` must be an administrator of the broker; only processes that let hosts in or out are given it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx2

from kilonova.domain.errors import Rejected, Unavailable
from kilonova.domain.host_access import bus_user, host_of
from kilonova.rpc.amqp.bounds import BOUNDS
from kilonova.rpc.amqp.names import cast_arguments, cast_key, host_permissions
from kilonova.rpc.tls import TlsFiles

MOST_CONNECTIONS = 16
MOST_CHANNELS = 2 * MOST_CONNECTIONS
_TIMEOUT_S = 10.0
_NEXT_STEP = "Look at RabbitMQ's management plugin and at [bus] management_url, then try again."


class RabbitAccounts:
    """
    Fills `HostAccounts`. `management_url` is `http://USER:PASSWORD@HOST:15672`, or `https://` with the files of `TlsFiles`;
    `bus_url` is the bus as hosts reach it (several of one cluster parted by `;`). A user and password in it are replaced by the
    host's own; certificate files are left out, for they are this machine's. `transport` is for tests.
    """

    def __init__(self, management_url: str, bus_url: str, *, transport: httpx2.BaseTransport | None = None) -> None:
        parts = urlsplit(management_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Rejected("The URL of RabbitMQ's management API is not http://USER:PASSWORD@HOST:PORT.")
        self._buses = [urlsplit(one)._replace(query="") for one in bus_url.split(";")]
        self._vhost = unquote(self._buses[0].path.removeprefix("/")) or "/"
        self._http = httpx2.Client(
            base_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/api/",
            auth=(unquote(parts.username or ""), unquote(parts.password or "")),
            timeout=_TIMEOUT_S,
            verify=TlsFiles.of(management_url).context() if parts.scheme == "https" else True,
            transport=transport,
            trust_env=False,
        )

    def create(self, host: str) -> str:
        """Make the host's user anew."""
        self._drop_user(host)
        user, password = quote(bus_user(host), safe=""), secrets.token_urlsafe(32)
        self._call("PUT", f"users/{user}", {"password": password, "tags": ""})
        self.allow(host)
        account = f"{user}:{password}"
        return ";".join(
            bus._replace(netloc=f"{account}@{bus.netloc.rpartition('@')[2]}").geturl() for bus in self._buses
        )

    def remove(self, host: str) -> None:
        """Remove the host's user, its connections with it, and what was said to it and not heard: it is for no later host."""
        self._drop_user(host)
        self._call("DELETE", self._queue(host))

    def allow(self, host: str) -> None:
        """
        Have the host's user be allowed, and be kept to, just what this release says; with the queue of what it is told, which it
        may not make itself (`amqp/names.py` says why).
        """
        user, vhost, may = quote(bus_user(host), safe=""), quote(self._vhost, safe=""), host_permissions(host)
        self._call("PUT", f"user-limits/{user}/max-connections", {"value": MOST_CONNECTIONS})
        self._call("PUT", f"user-limits/{user}/max-channels", {"value": MOST_CHANNELS})
        self._call("PUT", f"permissions/{vhost}/{user}", may.on_names())
        for keys in may.on_keys():
            self._call("PUT", f"topic-permissions/{vhost}/{user}", keys)
        self._call("PUT", self._queue(host), {"durable": True, "auto_delete": False, "arguments": cast_arguments()})

    def hosts(self) -> Sequence[str]:
        """Hosts that have a user here."""
        users = self._call("GET", "users")
        return sorted(host for user in users if (host := host_of(user["name"])) is not None)

    def silence(self, host: str) -> None:
        """The host's agent keeps what it has to say, and comes back when it may."""
        user = quote(bus_user(host), safe="")
        self._call("PUT", f"user-limits/{user}/max-connections", {"value": 0})
        self._call("DELETE", f"connections/username/{user}")

    def bound_queues(self) -> None:
        """By policies of the virtual host."""
        for bound in BOUNDS:
            self._call("PUT", f"policies/{quote(self._vhost, safe='')}/{bound.name}", bound.policy())

    def lacking(self) -> Sequence[str]:
        """
        Hosts whose queue somebody deleted (RabbitMQ may have had to be helped so, or the host's own account did it), and those
        that a conductor silenced and could not let back in.
        """
        found = self._call("GET", f"queues/{quote(self._vhost, safe='')}?columns=name")
        there = {queue["name"] for queue in found}
        silent = {one["user"] for one in self._call("GET", "user-limits") if one["value"].get("max-connections") == 0}
        return [host for host in self.hosts() if cast_key(f"agent.{host}") not in there or bus_user(host) in silent]

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _queue(self, host: str) -> str:
        return f"queues/{quote(self._vhost, safe='')}/{quote(cast_key(f'agent.{host}'), safe='')}"

    def _drop_user(self, host: str) -> None:
        self._call("DELETE", f"users/{quote(bus_user(host), safe='')}")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx2.HTTPError as why:
            raise Unavailable(f"RabbitMQ's management API does not answer: {why}.", next_step=_NEXT_STEP) from why
        if method == "DELETE" and answer.status_code == 404:
            return None
        if not answer.is_success:
            raise Unavailable(f"RabbitMQ's management API refused: {answer.status_code}.", next_step=_NEXT_STEP)
        return answer.json() if answer.content else None
