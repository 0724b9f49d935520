"""Servers: create, show, update, delete. Lists are in `lists.py`."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import asdict

from kilonova.api.compute.common import Named, links, or_none, scope
from kilonova.api.compute.servers import views
from kilonova.api.compute.servers.create import boot_request
from kilonova.api.compute.servers.params import CreateBody, CreateServer, UpdateServer
from kilonova.api.compute.servers.render import Rendering
from kilonova.api.framework import Query, Reply, Request, Route, since, until
from kilonova.compute.boot import BootServers
from kilonova.compute.delete import DeleteServer
from kilonova.compute.request import Booted
from kilonova.compute.update import Changes, UpdateServerRecord
from kilonova.domain.server import Server
from kilonova.runtime import Runtime
from kilonova.store.queries import servers

_RULE = "os_compute_api:servers"


class Servers:
    """The resource, with the use cases behind it."""

    def __init__(
        self, runtime: Runtime, *, boot: BootServers, delete: DeleteServer, update: UpdateServerRecord
    ) -> None:
        self._database, self._clock = runtime.db, runtime.clock
        self._boot, self._delete, self._update = boot, delete, update

    def create(self, req: Request[CreateBody, Query]) -> Reply:
        """Boot one or several; the answer shows the first."""
        return self._created(req, self._boot(req.ctx, boot_request(req, describes=True)))

    def create_undescribed(self, req: Request[CreateBody, Query]) -> Reply:
        """As before 2.19: the description is the name."""
        return self._created(req, self._boot(req.ctx, boot_request(req, describes=False)))

    def show(self, req: Request[None, Query]) -> views.ServerView:
        """One server in detail."""
        with self._database.read() as tx:
            server = servers.get(tx, scope(req, f"{_RULE}:show"), req.path["server_id"])
            return Rendering(req, tx, [server], self._clock.now(), memberships=True).detail(server)

    def update(self, req: Request[UpdateServer, Query]) -> views.ServerView:
        """Change what may be changed; the answer is the whole server."""
        rendering, server = self._updated(req)
        return rendering.detail(server)

    def update_early(self, req: Request[UpdateServer, Query]) -> views.UpdatedView:
        """As before 2.75: the answer leaves most of it out."""
        rendering, server = self._updated(req)
        return rendering.updated(server)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete it, whatever it is doing."""
        self._delete(scope(req, f"{_RULE}:delete"), req.path["server_id"])

    def _created(self, req: Request[CreateBody, Query], made: Booted) -> Reply:
        sent: CreateServer = req.params.server
        if sent.return_reservation_id is True:
            return Reply(views.CreatedBody(reservation_id=made.reservation_id))
        ident = made.server_ids[0]
        groups = [group.name for group in or_none(sent.security_groups) or () if group.name is not UNSET]
        view = views.CreatedView(
            id=ident, links=links(req, "servers", ident), disk_config=made.disk_config, admin_pass=made.admin_pass,
            security_groups=[Named(name=name) for name in groups or ["default"]],
        )  # fmt: skip
        return Reply(views.CreatedBody(server=view), headers={"Location": f"{req.base_url}/servers/{ident}"})

    def _updated(self, req: Request[UpdateServer, Query]) -> tuple[Rendering, Server]:
        ctx = scope(req, f"{_RULE}:update")
        self._update(ctx, req.path["server_id"], Changes(**asdict(req.params)))
        with self._database.read() as tx:
            server = servers.get(tx, ctx, req.path["server_id"])
            return Rendering(req, tx, [server], self._clock.now(), memberships=True), server


ROUTES = (
    Route("POST", "/servers", Servers.create_undescribed, versions=until("2.18"), status=202, policy=f"{_RULE}:create",
          params=CreateBody, view=views.CreatedBody, summary="Create servers"),
    Route("POST", "/servers", Servers.create, versions=since("2.19"), status=202, policy=f"{_RULE}:create",
          params=CreateBody, view=views.CreatedBody, summary="Create servers"),
    Route("GET", "/servers/{server_id}", Servers.show, policy=f"{_RULE}:show", view=views.ServerView, view_key="server",
          summary="Show a server"),
    Route("PUT", "/servers/{server_id}", Servers.update_early, versions=until("2.74"), policy=f"{_RULE}:update",
          params=UpdateServer, params_key="server", view=views.UpdatedView, view_key="server", summary="Update a server"),
    Route("PUT", "/servers/{server_id}", Servers.update, versions=since("2.75"), policy=f"{_RULE}:update",
          params=UpdateServer, params_key="server", view=views.ServerView, view_key="server", summary="Update a server"),
    Route("DELETE", "/servers/{server_id}", Servers.delete, status=204, policy=f"{_RULE}:delete", summary="Delete a server"),
)  # fmt: skip
