"""Reading one server and a thousand of ten thousand, over HTTP."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.fill import NETWORK, fill
from benchmarks.load import boot_for
from benchmarks.section import Section, at_most, spread_ms
from benchmarks.simcloud import Api, SimCloud

SERVERS = 10_000


def main(*, quick: bool = False) -> Section:
    """One client on one connection, nothing else under way."""
    with SimCloud(network=NETWORK) as cloud:
        server_id = populate(cloud, SERVERS)
        one, page = read(cloud, server_id, rounds=20 if quick else 40)
        api = cloud.api()
        names = _times(api, "/compute/v2.1/servers?limit=1000", 10)
        found = _times(api, "/compute/v2.1/servers/detail?name=copy-77&status=ACTIVE&limit=50", 10)
        api.close()
    return Section(
        what=f"GET one server, and 1,000 of {SERVERS:,} with detail",
        how="one tenant's client on one connection to the cloud's process, microversion 2.90, the reply read whole; SQLite",
        figures=[at_most("get_one_p50", one["p50"], "ms", 3), at_most("list_1000_detail_p50", page["p50"], "ms", 30)],
        detail={
            "get_one_ms": one,
            "list_1000_detail_ms": page,
            "list_1000_names_ms": names,
            "list_50_by_name_and_status_ms": found,
        },
    )


def populate(cloud: SimCloud, count: int, before: int = 0) -> str:
    """Have so many servers more, and come up again; gives the id of one."""
    if not before:
        boot_for(cloud, clients=1, seconds=10.0, most=1)
    cloud.stop()
    server_id = fill(cloud, count, before)
    cloud.start()
    return server_id


def read(cloud: SimCloud, server_id: str, *, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of GET one, and of 1,000 with detail."""
    api = cloud.api()
    one = _times(api, f"/compute/v2.1/servers/{server_id}", rounds * 10)
    page = _times(api, "/compute/v2.1/servers/detail?limit=1000", rounds)
    api.close()
    return one, page


def _times(api: Api, path: str, count: int) -> dict[str, Any]:
    for _ in range(5):
        api.call("GET", path)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        status, _, _ = api.ask("GET", path)
        taken.append(time.perf_counter() - began)
        assert status == 200, status
    return spread_ms(taken)
