"""
What must be true of every server once a storm is over.

One whose boot was accepted is ACTIVE, or ERROR with a fault that the storm explains: its hosts were down, or failed it. One whose
deletion was accepted is gone. Where no answer came, either is right, but nothing in between.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.storm.load import Record

Server = dict[str, Any]
_EXPLAINED = re.compile(
    r"No valid host was found\. .*(ComputeFilter|ExcludedHostsFilter) removed|Host \S+ (stopped answering|did not finish)"
)


@dataclass
class Verdict:
    """`unsettled` are servers that are not yet what they must become, in words; `lost` is nothing that time could mend."""

    active: int = 0
    deleted: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    unsettled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def unexplained(verdict: Verdict) -> list[str]:
    """What servers failed for, and no storm explains: there was room for all, so only hosts that were struck are a cause."""
    return [
        f"{many} in ERROR for {message!r}" for message, many in verdict.errors.items() if not _EXPLAINED.search(message)
    ]


def judge(record: Record, servers: Sequence[Server]) -> Verdict:
    """`servers` are all that the cloud lists."""
    verdict = Verdict()
    listed = {server["id"]: server for server in servers}
    for name, server_id in record.accepted.items():
        server = listed.pop(server_id, None)
        if server is None:
            verdict.deleted += 1
            if name not in record.deleted | record.maybe_deleted:
                verdict.lost.append(f"{name} ({server_id}) is gone, and nobody deleted it")
        elif name in record.deleted:
            verdict.unsettled.append(_words(server) + ", and its deletion was accepted")
        else:
            _add(verdict, server)
    for server in listed.values():
        _add(verdict, server)
    return verdict


def _add(verdict: Verdict, server: Server) -> None:
    if server["status"] == "ACTIVE" and server["OS-EXT-STS:task_state"] is None:
        verdict.active += 1
    elif server["status"] == "ERROR" and server.get("fault", {}).get("message"):
        verdict.errors[server["fault"]["message"]] += 1
    else:
        verdict.unsettled.append(_words(server))


def _words(server: Server) -> str:
    task, host = server["OS-EXT-STS:task_state"], server["OS-EXT-SRV-ATTR:host"]
    return f"{server['name']} ({server['id']}) on {host} is {server['status']}, task {task}"
