"""
How a host comes in, proves who it is, and goes.

    token ──join──► credential (generation 1) ──join with a token bound to its name──► credential (generation 2) ─► …
                        └── remove ──► revoked

A token is good once. It is used up in the transaction that gives the credential, by compare-and-swap, so of two hosts with one
token one joins; only then is the bus user made. If that fails, the token is given back and the credential revoked, and the host
may try again. Killed between the two, the control plane leaves a credential that nobody was told: the host asks for a token
bound to its name, which replaces it.

A token that is bound to no name lets in hosts that are new, and no others: it must not be a way to become a host that is there.

Secrets are 256 random bits. Kept are their SHA-256, compared in constant time; nothing here logs them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

import msgspec
import structlog

from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.errors import Conflict, Denied, KilonovaError, Missing, Rejected, Unauthenticated
from kilonova.domain.host import Host
from kilonova.domain.host_access import JoinToken, is_host_name
from kilonova.rpc.host_accounts import HostAccounts
from kilonova.rpc.messages import FleetChanged
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import host_access, hosts, server_specs, servers, services

LONGEST = timedelta(days=30)
_KEPT_FOR = timedelta(days=7)  # an expired token is shown that long
_log = structlog.get_logger(__name__)


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token. `text` is shown once and kept nowhere."""

    token: JoinToken
    text: str


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a host that joined is told: its name, its secret for the API, and the bus URL with its own user."""

    host: str
    secret: str
    bus_url: str
    generation: int


class HostAccess:
    """Tokens, joining, credentials and images of hosts."""

    def __init__(self, runtime: Runtime, *, accounts: HostAccounts, refusals: RefusalLog) -> None:
        self._database, self._bus, self._clock, self._ids = runtime.db, runtime.bus, runtime.clock, runtime.ids
        self._accounts, self._refusals = accounts, refusals

    def issue(self, *, host: str | None, lifetime: timedelta, created_by: str | None) -> IssuedToken:
        """A token that lets one host join, only that named `host` if given. Raises Rejected."""
        if host is not None:
            _check_name(host)
        if not timedelta(0) < lifetime <= LONGEST:
            raise Rejected(f"A token lives for at least a second and at most {LONGEST.days} days.")
        now, secret = self._clock.now(), secrets.token_urlsafe(32)
        made = JoinToken(
            id=self._ids.uuid(), host=host, created_by=created_by, created_at=now, expires_at=now + lifetime,
            used_by=None, used_at=None,
        )  # fmt: skip
        with self._database.write() as tx:
            host_access.forget_tokens(tx, now - _KEPT_FOR)
            host_access.add_token(tx, made, _hash(secret))
        return IssuedToken(token=made, text=f"{made.id}.{secret}")

    def join(self, text: str, name: str, address: str) -> Welcome:
        """
        Let a host in. Raises Rejected, Unauthenticated for a token that is no good, Conflict for a name that is taken,
        Unavailable when the bus has no user for it just now: the token is good again then.
        """
        _check_name(name)
        secret = secrets.token_urlsafe(32)
        token_id, generation = self._admit(text, name, _hash(secret), address)
        try:
            bus_url = self._accounts.create(name)
        except KilonovaError:
            with self._database.write() as tx:
                host_access.give_token_back(tx, token_id)
                host_access.revoke(tx, name, self._clock.now(), generation=generation)
            raise
        _log.info("a host joined", host=name, address=address, generation=generation, token=token_id)
        return Welcome(host=name, secret=secret, bus_url=bus_url, generation=generation)

    def authenticate(self, name: str, secret: str, address: str) -> str:
        """The host whose credential this is. Raises Unauthenticated."""
        with self._database.read() as tx:
            held = host_access.credential(tx, name) if is_host_name(name) else None
        is_right = hmac.compare_digest(held.secret_hash if held else "", _hash(secret))
        if held is None or held.revoked_at is not None or not is_right:
            self._refusals.note(f"address {address}", "host credential", "it is wrong, or was revoked", name)
            raise Unauthenticated(
                "This is not the credential of a host of this cloud.",
                next_step="Ask an administrator for a token (kilonova host token) and join again.",
            )
        return held.host

    def check_image(self, host: str, image_id: str) -> None:
        """Raise Denied unless a server of the host needs this image, or the host was told to fetch it."""
        with self._database.read() as tx:
            may = server_specs.host_needs_image(tx, host, image_id) or host_access.has_grant(
                tx, host, image_id, self._clock.now()
            )
        if not may:
            self._refusals.note(f"host.{host}", "image", "no server of its own needs this image", image_id)
            raise Denied(f"No server on host {host} needs image {image_id[:64]}.")

    def remove(self, name: str) -> None:
        """
        Forget a host: its record, its credential, its bus user. Doing it again finishes what was left.

        Raises Missing, Conflict while servers are on it, Unavailable when the bus does not answer (the host is out all the same).
        """
        now = self._clock.now()
        with self._database.write() as tx:
            known = hosts.lock(tx, name)
            _must_be_empty(tx, name, known)
            if known is not None:
                services.remove(tx, services.get(tx, known.service_id))
                tx.after_commit(lambda: self._bus.fanout("scheduler", FleetChanged()))
            if known is None and host_access.credential(tx, name) is None:
                raise Missing("Host", name[:255], next_step="kilonova host list")
            host_access.revoke(tx, name, now)
        self._accounts.remove(name)
        _log.info("a host was removed", host=name)

    def _admit(self, text: str, name: str, secret_hash: str, address: str) -> tuple[str, int]:
        """Use the token up and give the credential; the token's id and the credential's generation."""
        token_id, _, given = text.partition(".")
        now = self._clock.now()
        with self._database.write() as tx:
            found = host_access.token(tx, token_id)
            is_right = hmac.compare_digest(found.secret_hash if found else "", _hash(given))
            why = "there is no such token" if found is None or not is_right else _why_not(found.token, name, now)
            if not why and found is not None and found.token.host is None and _is_taken(tx, name):
                raise Conflict(
                    f"There is a host {name} already, and this token is for new ones.",
                    next_step=f"kilonova host token --host {name}   # for the same host again; or join with --name OTHER",
                )
            if not why and host_access.use_token(tx, token_id, name, now):
                return token_id, host_access.give_credential(tx, name, secret_hash, now)
        self._refusals.note(f"address {address}", "join", why or "the token was used", name)
        raise Unauthenticated(
            f"This token does not let host {name} in: {why or 'the token was used'}.",
            next_step="kilonova host token   # where an administrator is logged in; then join with the new one",
        )


def _why_not(token: JoinToken, name: str, now: datetime) -> str:
    """Why a token whose secret is right is no good; empty when it is."""
    if token.used_at is not None:
        return "the token was used"
    if token.expires_at <= now:
        return "the token has expired"
    return "the token is for another host" if token.host not in (None, name) else ""


def _is_taken(tx: Tx, name: str) -> bool:
    held = host_access.credential(tx, name)
    return hosts.by_name(tx, name) is not None or (held is not None and held.revoked_at is None)


def _must_be_empty(tx: Tx, name: str, known: Host | None) -> None:
    """No server is on it, by its own record or by theirs. It is locked, so none comes before it is gone."""
    held = max(len(servers.on_hosts(tx, [name])[name]), known.servers if known else 0)
    if held:
        raise Conflict(f"{held} servers are on host {name}.", next_step="Delete them, or move them elsewhere, first.")


def _check_name(name: str) -> None:
    if not is_host_name(name):
        raise Rejected(
            f"A host cannot be called {name[:80]!r}: letters, digits, dots and hyphens, at most 63 of them.",
            next_step="kilonova host join URL TOKEN --name NAME",
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
