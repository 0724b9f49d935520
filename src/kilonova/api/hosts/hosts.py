"""Hosts: list, let in, remove; and what was refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, PolicyRule, Query, Request, Route, View
from kilonova.api.framework.types import Name, iso_z
from kilonova.compute.host_access import HostAccess
from kilonova.domain.errors import Unauthenticated
from kilonova.domain.host import Host, is_alive
from kilonova.domain.host_access import HostCredential, JoinToken, Refusal
from kilonova.identity.throttle import LoginThrottle
from kilonova.runtime import Runtime
from kilonova.store.queries import host_access, hosts

_THROTTLED = "a host that joins"


class IssueToken(Params):
    """How long the token lives, in seconds, and the one host that it is for."""

    expires_in_s: Annotated[int, Meta(ge=1, le=30 * 86400)] = 3600
    host: Maybe[Name | None] = UNSET


class JoinCloud(Params):
    """A host that wants in."""

    token: Annotated[str, Meta(max_length=255)]
    name: Name


class ListRefusals(Query):
    """One sender's: `host.<name>`, or `address <ip>`."""

    sender: Maybe[str] = UNSET


class TokenView(View):
    """A token. Its text is in the answer to its making and nowhere else."""

    id: str
    host: str | None
    created_at: str | None
    expires_at: str | None
    used_by: str | None
    text: Maybe[str] = UNSET


class WelcomeView(View):
    """What a host is to keep to itself: its secret for this API, and the bus URL with a user of its own."""

    name: str
    secret: str
    bus_url: str
    generation: int


class HostView(View):
    """A host. `joined_at` is null for one that never needed to join: it lives in the control plane's own process."""

    name: str
    service_id: str | None
    zone: str | None
    state: str
    status: str
    disabled_reason: str | None
    forced_down: bool
    servers: int
    vcpus: int
    vcpus_used: int
    ram_mib: int
    ram_mib_used: int
    seen_at: str | None
    joined_at: str | None


class RefusalView(View):
    """What a host, or somebody who is none, was refused."""

    sender: str
    what: str
    why: str
    about: str
    times: int
    first_at: str | None
    last_at: str | None


class Hosts:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, access: HostAccess, throttle: LoginThrottle) -> None:
        self._database, self._clock, self._access, self._throttle = runtime.db, runtime.clock, access, throttle

    def index(self, _req: Request[None, Query]) -> list[HostView]:
        """All of them; those that joined and were not heard of yet, too."""
        with self._database.read() as tx:
            found, joined = hosts.every(tx), dict(host_access.joined(tx))
        now = self._clock.now()
        views = [_view(host, joined.pop(host.name, None), now) for host in found]
        return views + [_silent(one) for one in joined.values() if one.revoked_at is None]

    def issue(self, req: Request[IssueToken, Query]) -> TokenView:
        """A token that lets one host join."""
        made = self._access.issue(
            host=req.params.host or None,
            lifetime=timedelta(seconds=req.params.expires_in_s),
            created_by=req.ctx.user_id,
        )
        return _token(made.token, made.text)

    def tokens(self, _req: Request[None, Query]) -> list[TokenView]:
        """The tokens there are, without their texts."""
        with self._database.read() as tx:
            found = host_access.tokens(tx)
        return [_token(one) for one in found]

    def join(self, req: Request[JoinCloud, Query]) -> WelcomeView:
        """A host comes in. The token is all that it needs, and a right one is good whoever guessed from there before."""
        try:
            told = self._access.join(req.params.token, req.params.name, req.client)
        except Unauthenticated:
            self._throttle.refuse(_THROTTLED, req.client)
            raise
        return WelcomeView(name=told.host, secret=told.secret, bus_url=told.bus_url, generation=told.generation)

    def remove(self, req: Request[None, Query]) -> None:
        """A host goes for good."""
        self._access.remove(req.path["host_name"])

    def refusals(self, req: Request[None, ListRefusals]) -> list[RefusalView]:
        """What was refused, the latest first."""
        sender = None if req.query.sender is UNSET else req.query.sender
        with self._database.read() as tx:
            found = host_access.refused(tx, sender=sender)
        return [_refusal(one) for one in found]


def _view(host: Host, joined: HostCredential | None, now: datetime) -> HostView:
    alive = is_alive(host.seen_at, now, forced_down=host.forced_down)
    return HostView(
        name=host.name, service_id=host.service_id, zone=host.zone, state="up" if alive else "down",
        status="disabled" if host.disabled else "enabled", disabled_reason=host.disabled_reason,
        forced_down=host.forced_down, servers=host.servers, vcpus=host.facts.vcpus, vcpus_used=host.vcpus_used,
        ram_mib=host.facts.ram_mib, ram_mib_used=host.ram_mib_used, seen_at=iso_z(host.seen_at),
        joined_at=iso_z(joined.joined_at) if joined else None,
    )  # fmt: skip


def _silent(joined: HostCredential) -> HostView:
    """A host that joined, and whose agent has not said a word yet."""
    return HostView(
        name=joined.host, service_id=None, zone=None, state="down", status="enabled", disabled_reason=None,
        forced_down=False, servers=0, vcpus=0, vcpus_used=0, ram_mib=0, ram_mib_used=0, seen_at=None,
        joined_at=iso_z(joined.joined_at),
    )  # fmt: skip


def _token(one: JoinToken, text: str | None = None) -> TokenView:
    return TokenView(
        id=one.id, host=one.host, created_at=iso_z(one.created_at), expires_at=iso_z(one.expires_at),
        used_by=one.used_by, text=UNSET if text is None else text,
    )  # fmt: skip


def _refusal(one: Refusal) -> RefusalView:
    return RefusalView(
        sender=one.sender, what=one.what, why=one.why, about=one.about, times=one.times,
        first_at=iso_z(one.first_at), last_at=iso_z(one.last_at),
    )  # fmt: skip


ROUTES = (
    Route("GET", "/", Hosts.index, policy="kilonova:hosts:list", view=HostView, view_key="hosts",
          summary="List hosts"),
    Route("GET", "/tokens", Hosts.tokens, policy="kilonova:hosts:token", view=TokenView, view_key="tokens",
          summary="List join tokens"),
    Route("POST", "/tokens", Hosts.issue, status=201, policy="kilonova:hosts:token", params=IssueToken,
          params_key="token", view=TokenView, view_key="token", summary="Make a join token"),
    Route("POST", "/join", Hosts.join, status=201, auth=False, lane="logins", params=JoinCloud, params_key="host",
          view=WelcomeView, view_key="host", summary="Join as a host"),
    Route("GET", "/refusals", Hosts.refusals, policy="kilonova:hosts:refusals", query=ListRefusals, view=RefusalView,
          view_key="refusals", summary="List what was refused to hosts"),
    Route("DELETE", "/{host_name}", Hosts.remove, status=204, policy="kilonova:hosts:remove",
          summary="Remove a host"),
)  # fmt: skip
POLICIES = (
    PolicyRule("kilonova:hosts:list", "admin", description="List hosts"),
    PolicyRule("kilonova:hosts:token", "admin", description="Make tokens that let hosts join, and list them"),
    PolicyRule("kilonova:hosts:refusals", "admin", description="See what was refused to hosts"),
    PolicyRule("kilonova:hosts:remove", "admin", description="Remove a host that has no servers"),
)
