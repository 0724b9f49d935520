"""How long a scheduler takes to read a fleet from its records: SQLite in a file, a server on each host."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import msgspec

from kilonova.domain.clock import SystemClock
from kilonova.domain.host import Host
from kilonova.domain.server import FlavorSnapshot, Intent, Lifecycle, PowerState, Server
from kilonova.rpc.inprocess import InProcessBus
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts, servers
from kilonova.store.schema import ensure_schema

_BATCH = 1000


class Read(NamedTuple):
    """Seconds to read everything, and to read again what may have changed."""

    load_s: float
    refresh_s: float


def read(fleet: Sequence[Host]) -> Read:
    """Write these hosts and a server on each, and have a scheduler read them."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.db'}")
        ensure_schema(database)
        for first in range(0, len(fleet), _BATCH):
            some = fleet[first : first + _BATCH]
            with database.write() as tx:
                hosts.add(tx, some)
                servers.add(tx, list(_on(some)))
        bus = InProcessBus()
        scheduler = SchedulerService(database, bus, SystemClock(), SchedulerSettings(), random.Random(1))  # noqa: S311
        took = []
        for _ in range(2):
            began = time.perf_counter()
            scheduler.refresh()
            took.append(time.perf_counter() - began)
        database.close()
    return Read(*took)


def _on(fleet: Sequence[Host]) -> Iterator[Server]:
    now, images = datetime.now(UTC), cycle([f"image-{number}" for number in range(20)])
    flavor = FlavorSnapshot(id="1", name="m1.small", vcpus=1, ram_mib=2048, disk_gib=20)
    any_one = Server(
        id="", number=0, project_id="p", user_id="u", name="server", description=None, hostname="server", flavor=flavor,
        image_id=None, key_name=None, metadata={}, system_metadata={}, availability_zone=None, config_drive=False,
        user_data=None, personality={}, key_public=None, admin_pass=None, access_ip_v4=None, access_ip_v6=None,
        disk_config="AUTO", locked=False, locked_reason=None, tags=(), trusted_certs=(), hints={}, security_groups=(),
        root_device="/dev/vda", reservation_id="r", launch_index=0, lifecycle=Lifecycle.BUILT, intent=Intent.ACTIVE,
        power_state=PowerState.RUNNING, host=None, node=None, zone="nova", saga=None, saga_step=None, progress=0,
        generation=1, fault=None, created_at=now, updated_at=now, launched_at=now, terminated_at=None, deleted_at=None,
    )  # fmt: skip
    for host, image in zip(fleet, images, strict=False):
        is_new = host.number % 100 == 0
        yield msgspec.structs.replace(
            any_one, id=f"server-{host.number}", number=host.number, host=host.name, node=host.name, image_id=image,
            lifecycle=Lifecycle.BUILDING if is_new else Lifecycle.BUILT,
        )  # fmt: skip
