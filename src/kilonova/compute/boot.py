"""
Boot servers: resolve a request once, and write everything it needs in one transaction.

What is outside our database (the image's record, perhaps another service's) is read first. Then, in one transaction: flavor, key,
place, interfaces and disks are resolved, the quota is counted, the server rows and their boot sagas are written. Either all of
the servers are there, each with the saga that will build it, or none is. Conductors are woken after the commit; if that
is lost, they find the sagas at their next look.
"""

from __future__ import annotations

import secrets
import string
from datetime import datetime

import msgspec

from kilonova.compute.backlog import Backlog, Bounds
from kilonova.compute.boot_images import BootImages, find_images
from kilonova.compute.devices import plan_devices
from kilonova.compute.hints import check_hints
from kilonova.compute.names import host_label, server_name
from kilonova.compute.neighbours import Images, NicResolver
from kilonova.compute.quota_checks import check_items, take_servers
from kilonova.compute.request import Booted, BootRequest
from kilonova.compute.scheduling import Subject, resolve_subject
from kilonova.compute.server_groups import join_group, wanted_group
from kilonova.compute.supported import Supported
from kilonova.domain.block_device import mappings_of
from kilonova.domain.boot import BlockDevice, BootParams, NicRequest
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, Missing, Rejected
from kilonova.domain.image import Image
from kilonova.domain.saga import about_server
from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.rpc.messages import SagaReady
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import keypairs, quotas, sagas, server_specs, servers
from kilonova.store.queries.counters import next_number

_LETTERS = string.ascii_letters + string.digits


class _Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers of one request share."""

    subject: Subject
    images: BootImages
    key_public: str | None
    nics: tuple[NicRequest, ...]
    group_ids: tuple[str, ...]
    devices: tuple[BlockDevice, ...]
    reservation_id: str
    admin_pass: str
    disk_config: str
    now: datetime


class BootServers:
    """Accepts requests for servers: call it with the caller's context and one. `bounds` are of what may wait to be built."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        images: Images,
        nics: NicResolver,
        bounds: Bounds | None = None,
        supported: Supported | None = None,
    ) -> None:
        self._database, self._bus, self._clock, self._ids = runtime.db, runtime.bus, runtime.clock, runtime.ids
        self._images, self._nics, self._supported = images, nics, supported or Supported()
        self._backlog = Backlog(runtime.db, runtime.clock, bounds)

    def __call__(self, ctx: RequestContext, request: BootRequest) -> Booted:
        """Accept the request. Raises Rejected, Denied, OverQuota, TooManyWaiting or Unavailable with nothing written."""
        if ctx.project_id is None or ctx.user_id is None:
            raise Denied("A server belongs to a project: use a token scoped to one.")
        self._backlog.admit(ctx.project_id)
        images = find_images(self._images, ctx, request.image_ref)
        with self._database.write() as tx:
            group = wanted_group(tx, ctx, request.hints, lock=True)
            check_hints(tx, ctx, request.hints)
            resolved, count = self._resolve(tx, ctx, request, images)
            first = next_number(tx, "servers", count)
            new = [self._server(ctx, request, resolved, index=i, count=count, number=first + i) for i in range(count)]
            servers.add(tx, new)
            if group is not None:
                join_group(tx, group, [server.id for server in new])
            params = [_params(server, resolved) for server in new]
            server_specs.add(tx, params, [one for server in new for one in mappings_of(server, resolved.devices)])
            for server, each in zip(new, params, strict=True):
                self._start(tx, ctx, server, each, resolved.now)
        self._backlog.accepted(ctx.project_id, count)
        return Booted(
            reservation_id=resolved.reservation_id, server_ids=tuple(server.id for server in new),
            admin_pass=resolved.admin_pass, disk_config=resolved.disk_config,
        )  # fmt: skip

    def _resolve(self, tx: Tx, ctx: RequestContext, request: BootRequest, images: BootImages) -> tuple[_Resolved, int]:
        project_id, user_id, image = str(ctx.project_id), str(ctx.user_id), images.image
        allowed = quotas.limits(tx, project_id, user_id)
        check_items(request, allowed)
        subject = resolve_subject(tx, project_id, request, image, self._supported)
        devices = plan_devices(request.devices, image, subject.flavor)
        key_public = _key(tx, user_id, request.key_name)
        count = take_servers(tx, project_id, request, subject.flavor, allowed)
        found = self._nics.resolve(tx, ctx, request.nics, count, request.security_groups)
        resolved = _Resolved(
            subject=subject, images=images, key_public=key_public, nics=tuple(found.nics),
            group_ids=tuple(found.group_ids), devices=devices, reservation_id=f"r-{_word(8).lower()}",
            admin_pass=request.admin_pass or _word(12), disk_config=_disk_config(request, image), now=self._clock.now(),
        )  # fmt: skip
        return resolved, count

    def _server(
        self, ctx: RequestContext, request: BootRequest, resolved: _Resolved, *, index: int, count: int, number: int
    ) -> Server:
        ident, flavor, image = self._ids.uuid(), resolved.subject.flavor, resolved.subject.image
        name = server_name(request.name, index, count)
        hostname = server_name(request.hostname, index, count) if request.hostname else host_label(name, ident)
        return Server(
            id=ident, number=number, project_id=str(ctx.project_id), user_id=str(ctx.user_id), name=name,
            description=request.description, hostname=hostname, flavor=flavor.snapshot(),
            image_id=image.id if image else None, key_name=request.key_name, metadata=request.metadata,
            system_metadata=_image_facts(image), availability_zone=request.place.zone,
            config_drive=request.config_drive, user_data=request.user_data, personality=request.personality,
            key_public=resolved.key_public, admin_pass=resolved.admin_pass, access_ip_v4=request.access_ip_v4,
            access_ip_v6=request.access_ip_v6, disk_config=resolved.disk_config, locked=False, locked_reason=None,
            tags=request.tags, trusted_certs=request.trusted_certs, hints=request.hints,
            security_groups=request.security_groups or ("default",), root_device=_root_device(image),
            reservation_id=resolved.reservation_id, launch_index=index, lifecycle=Lifecycle.BUILDING, intent=Intent.ACTIVE,
            power_state=PowerState.NOSTATE, host=None, node=None, zone=None, saga=None, saga_step=None, progress=0,
            generation=0, fault=None, created_at=resolved.now, updated_at=resolved.now, launched_at=None,
            terminated_at=None, deleted_at=None,
        )  # fmt: skip

    def _start(self, tx: Tx, ctx: RequestContext, server: Server, params: BootParams, now: datetime) -> None:
        new = sagas.NewSaga(
            kind="boot", subject=about_server(server.id), project_id=server.project_id, user_id=server.user_id,
            request_id=ctx.request_id, params=params,
        )  # fmt: skip
        saga_id = sagas.start(tx, new, ids=self._ids, now=now)
        ready = SagaReady(saga_id=saga_id, project_id=server.project_id, request_id=ctx.request_id)
        tx.after_commit(lambda: self._bus.cast("conductor", ready))


def _params(server: Server, resolved: _Resolved) -> BootParams:
    return BootParams(
        scheduling=resolved.subject.request(server.id, server.project_id), nics=resolved.nics, block_devices=resolved.devices,
        security_groups=resolved.group_ids, kernel=resolved.images.kernel, ramdisk=resolved.images.ramdisk,
        kernel_args=resolved.images.kernel_args,
    )  # fmt: skip


def _key(tx: Tx, user_id: str, key_name: str | None) -> str | None:
    if key_name is None:
        return None
    try:
        return keypairs.get(tx, user_id, key_name).public_key
    except Missing:
        raise Rejected("Invalid key_name provided.", next_step="See your key pairs with GET /os-keypairs.") from None


def _image_facts(image: Image | None) -> dict[str, str]:
    """What a server keeps of its image, under `image_`: it may outlive it."""
    if image is None:
        return {}
    facts = dict(image.properties)
    facts |= {"min_ram": str(image.min_ram), "min_disk": str(image.min_disk), "base_image_ref": image.id}
    facts |= {"disk_format": image.disk_format or "", "container_format": image.container_format or ""}
    return {f"image_{name}": value for name, value in facts.items()}


def _root_device(image: Image | None) -> str:
    named = (image.properties if image else {}).get("root_device_name", "")
    return named[:32] if named.startswith("/dev/") else "/dev/vda"


def _disk_config(request: BootRequest, image: Image | None) -> str:
    if request.disk_config is not None:
        return request.disk_config
    wanted = (image.properties if image else {}).get("auto_disk_config", "").lower()
    return "AUTO" if wanted in ("true", "1", "yes", "on") else "MANUAL"


def _word(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
