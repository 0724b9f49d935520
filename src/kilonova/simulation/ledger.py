"""Claims in memory: what the records do with a claim, by the records' own rule, without records."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kilonova.domain.allocation import Claim
from kilonova.domain.host import Host, HostUse
from kilonova.store.queries.hosts import fits


class Ledger:
    """Every host as its record would be."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = {host.id: host for host in hosts}
        self.used = [0, 0, 0]  # vCPUs, MiB, GiB of all hosts
        self.servers = self.hosts_in_use = 0

    def claim(self, host_id: str, wanted: Claim) -> HostUse | None:
        """Take it of a host; None when it does not fit."""
        return self._move(host_id, wanted, 1) if fits(self._hosts[host_id], wanted) else None

    def release(self, host_id: str, held: Claim) -> HostUse:
        """Give it back."""
        return self._move(host_id, held, -1)

    def _move(self, host_id: str, amount: Claim, sign: int) -> HostUse:
        host = self._hosts[host_id]
        use = HostUse(
            host_id=host_id, generation=host.generation + 1, vcpus_used=host.vcpus_used + sign * amount.vcpus,
            ram_mib_used=host.ram_mib_used + sign * amount.ram_mib,
            disk_gib_used=host.disk_gib_used + sign * amount.disk_gib, servers=host.servers + sign,
        )  # fmt: skip
        self._hosts[host_id] = msgspec.structs.replace(
            host, generation=use.generation, vcpus_used=use.vcpus_used, ram_mib_used=use.ram_mib_used,
            disk_gib_used=use.disk_gib_used, servers=use.servers,
        )  # fmt: skip
        for row, taken in enumerate((amount.vcpus, amount.ram_mib, amount.disk_gib)):
            self.used[row] += sign * taken
        self.servers += sign
        self.hosts_in_use += (use.servers > 0) - (host.servers > 0)
        return use
