"""
Clients that boot servers, in processes of their own so that they share nothing with the cloud but the machine.

Each client asks for a server, looks at it until it is ACTIVE, and asks for the next. It looks first after `_FIRST_LOOK_S` and
then ever less often, as a patient script would; what it measures is the time until it *saw* ACTIVE.
"""

from __future__ import annotations

import multiprocessing
import resource
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import msgspec

from benchmarks.simcloud import Api, SimCloud

_FIRST_LOOK_S, _LONGER = 0.02, 1.4
_GIVE_UP_S = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What each process of clients does."""

    port: int
    token: str
    body: bytes
    clients: int
    until: float  # time.time(); no boot is begun after it
    most: int  # boots a client


class Seen(msgspec.Struct, kw_only=True):
    """What clients saw: seconds to ACTIVE and to 202 by boot, how often they looked, what failed."""

    to_active: list[float] = []
    to_accepted: list[float] = []
    looks: int = 0
    failures: list[str] = []
    cpu_s: float = 0.0
    took_s: float = 0.0


def boot_for(cloud: SimCloud, *, clients: int, seconds: float, most: int = 1_000_000) -> Seen:
    """Boot with so many clients at once, for so long or until each has booted `most`."""
    plan = Plan(
        port=cloud.port, token=cloud.api().token, body=msgspec.json.encode(cloud.boot_body("bench")),
        clients=clients // min(2, clients), until=seconds, most=most,
    )  # fmt: skip
    return boot_all([plan] * min(2, clients))


def boot_all(plans: Sequence[Plan]) -> Seen:
    """Each plan in a process of its own, all at once; their `until` is in seconds from now."""
    with ProcessPoolExecutor(len(plans), mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_ready, range(len(plans))))
        began = time.time()
        parts = list(pool.map(_boots, [msgspec.structs.replace(plan, until=began + plan.until) for plan in plans]))
    return Seen(
        to_active=[s for part in parts for s in part.to_active],
        to_accepted=[s for part in parts for s in part.to_accepted],
        looks=sum(part.looks for part in parts),
        failures=[text for part in parts for text in part.failures],
        cpu_s=sum(part.cpu_s for part in parts),
        took_s=max(part.took_s for part in parts),
    )


def _ready(_number: int) -> None:
    """Starting a process is not part of the measure."""
    time.sleep(0.2)


def _boots(plan: Plan) -> Seen:
    seen, began = Seen(), time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF)
    threads = [threading.Thread(target=_client, args=(plan, seen)) for _ in range(plan.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = resource.getrusage(resource.RUSAGE_SELF)
    seen.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seen.took_s = time.monotonic() - began
    return seen


def _client(plan: Plan, seen: Seen) -> None:
    api = Api(plan.port, plan.token)
    try:
        for _ in range(plan.most):
            if time.time() >= plan.until:
                return
            _boot(api, plan.body, seen)
    except (OSError, RuntimeError) as error:
        seen.failures.append(str(error)[:300])
    finally:
        api.close()


def _boot(api: Api, body: bytes, seen: Seen) -> None:
    began, pause_s = time.perf_counter(), _FIRST_LOOK_S
    server_id = api.call("POST", "/compute/v2.1/servers", msgspec.Raw(body))["server"]["id"]
    accepted = time.perf_counter()
    while time.perf_counter() - began < _GIVE_UP_S:
        time.sleep(pause_s)
        pause_s *= _LONGER
        seen.looks += 1
        status = api.call("GET", f"/compute/v2.1/servers/{server_id}")["server"]["status"]
        if status == "ACTIVE":
            seen.to_accepted.append(accepted - began)
            seen.to_active.append(time.perf_counter() - began)
            return
        if status != "BUILD":
            raise RuntimeError(f"server {server_id} is {status}")
    raise RuntimeError(f"server {server_id} was not ACTIVE within {_GIVE_UP_S:.0f} s")
