"""
How long the compute API takes to show one server and to list them, end to end but for the network. Prints JSON.

A database of 10,000 servers with an interface each, on SQLite (WAL, synchronous=NORMAL); requests go through the whole rim.
Budgets (docs: DESIGN): GET one p50 3 ms; 1,000 with detail 30 ms. `--servers 100` shows whether figures grow with the cloud.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kilonova.domain.boot import NicRequest
from kilonova.domain.network import ServerForNetwork
from kilonova.domain.server import FlavorSnapshot, Intent, Lifecycle, PowerState, Server
from kilonova.network.allocate import Allocator
from kilonova.network.defaults import ensure_default_group
from kilonova.store.queries import servers
from tests.fakes.auth import MEMBER_A, PROJECT_A
from tests.story.compute.cloud import HOST, ZONE, Cloud, sqlite_cloud

BATCH = 1000


def server(cloud: Cloud, number: int) -> Server:
    now = cloud.clock.now()
    flavor = FlavorSnapshot(id="1", name="m1.tiny", vcpus=1, ram_mib=512, disk_gib=1)
    return Server(
        id=cloud.ids.uuid(), number=number, project_id=PROJECT_A, user_id="user", name=f"server-{number}", description=None,
        hostname=f"server-{number}", flavor=flavor, image_id="70a599e0-31e7-49b7-b260-868f441e862b", key_name="key",
        metadata={"role": "web"}, system_metadata={"image_architecture": "x86_64"}, availability_zone=None, config_drive=False,
        user_data=None, personality={}, key_public=None, admin_pass=None, access_ip_v4=None, access_ip_v6=None,
        disk_config="AUTO", locked=False, locked_reason=None, tags=("a", "b"), trusted_certs=(), hints={},
        security_groups=("default",), root_device="/dev/vda", reservation_id="r-1", launch_index=0, lifecycle=Lifecycle.BUILT,
        intent=Intent.ACTIVE, power_state=PowerState.RUNNING, host=HOST, node=HOST, zone=ZONE, saga=None, saga_step=None,
        progress=100, generation=1, fault=None, created_at=now, updated_at=now, launched_at=now, terminated_at=None,
        deleted_at=None,
    )  # fmt: skip


def fill(cloud: Cloud, count: int) -> str:
    """Write servers, a port each; gives the id of one in the middle."""
    middle = ""
    for first in range(1, count + 1, BATCH):
        with cloud.database.write() as tx:
            now = cloud.clock.now()
            group = ensure_default_group(tx, PROJECT_A, ids=cloud.ids, now=now)
            new = [server(cloud, number) for number in range(first, min(first + BATCH, count + 1))]
            servers.add(tx, new)
            allocator = Allocator(tx, cloud.ids, now)
            for one in new:
                owner = ServerForNetwork(id=one.id, project_id=PROJECT_A, zone=ZONE, host=HOST)
                allocator.allocate(owner, (NicRequest(network_id=cloud.network.id),), (group.id,))
            middle = new[len(new) // 2].id
    return middle


async def ask(app: Any, path: str) -> int:
    """One request straight into the application. Gives the size of its body; raises unless it is 200."""
    url, _, query = path.partition("?")
    headers = [
        (b"x-auth-token", MEMBER_A.encode()),
        (b"openstack-api-version", b"compute 2.104"),
        (b"host", b"localhost"),
    ]
    scope = {
        "type": "http", "method": "GET", "path": url, "raw_path": url.encode(), "query_string": query.encode(),
        "headers": headers, "scheme": "http",
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        raise RuntimeError(sent)
    return sum(len(message.get("body", b"")) for message in sent[1:])


async def measure(app: Any, path: str, times: int) -> dict[str, float]:
    """Milliseconds of `times` requests by the clock and of CPU, after some that are not counted."""
    for _ in range(5):
        size = await ask(app, path)
    taken, worked = [], []
    for _ in range(times):
        started, busy = time.perf_counter(), time.process_time()
        await ask(app, path)
        taken.append((time.perf_counter() - started) * 1000)
        worked.append((time.process_time() - busy) * 1000)
    return {
        "p50_ms": round(statistics.median(taken), 2), "p95_ms": round(statistics.quantiles(taken, n=20)[-1], 2),
        "cpu_p50_ms": round(statistics.median(worked), 2), "bytes": size,
    }  # fmt: skip


def main(run: Callable[..., Any] = asyncio.run) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=10_000)
    count = parser.parse_args().servers
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, sqlite_cloud(Path(folder)) as cloud:
        middle = fill(cloud, count)

        async def all_of_it() -> dict[str, Any]:
            base = "/compute/v2.1/servers"
            return {
                "get_one": await measure(cloud.app, f"{base}/{middle}", 200),
                "list_1000_detail": await measure(cloud.app, f"{base}/detail?limit=1000", 20),
                "list_1000": await measure(cloud.app, f"{base}?limit=1000", 20),
                "list_by_status_and_name": await measure(
                    cloud.app, f"{base}/detail?status=ACTIVE&name=server-99&limit=50", 20
                ),
            }

        print(json.dumps({"servers": count, "database": "sqlite", **run(all_of_it())}))


if __name__ == "__main__":
    main()
