"""
Giving addresses to ports.

An `AddressBook` is opened inside a transaction for the networks at hand and locks their subnets, so that two allocations from one
subnet happen one after the other, each seeing what the last one gave. The search for a free address begins after the
subnet's cursor (the last one given) and looks at a batch at a time, so it costs the same however many are given; a freed
address rests until the cursor has come round to it. An address that a user names is checked against the same ledger, whose
primary key would refuse a second owner even if all this were wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.network import FixedIp, Subnet
from kilonova.network import numbers
from kilonova.network.errors import InvalidInput, InvalidIpForNetwork, IpAddressGenerationFailure, IpAddressInUse
from kilonova.store.database import Tx
from kilonova.store.queries import subnets

_FIRST_BATCH = 8
_MAX_BATCH = 4096


class AddressBook:
    """The free addresses of some networks, for one transaction."""

    def __init__(self, tx: Tx, network_ids: Sequence[str]) -> None:
        self._tx = tx
        self._pools = subnets.lock_for_networks(tx, network_ids)
        self._cursors = {pool.subnet.id: pool.cursor for pools in self._pools.values() for pool in pools}

    def subnets(self, network_id: str) -> list[Subnet]:
        """The subnets of a network, oldest first."""
        return [pool.subnet for pool in self._pools[network_id]]

    def give_any(self, network_id: str, port_id: str) -> tuple[FixedIp, ...]:
        """
        One address of each IP version that the network has subnets of, given to the port.

        Raises IpAddressGenerationFailure when the pools of a version are used up.
        """
        chosen = tuple(self._any(network_id, version) for version in (4, 6) if self._of(network_id, version))
        subnets.give(self._tx, port_id, chosen)
        return chosen

    def give(
        self, network_id: str, port_id: str, wanted: Sequence[tuple[str | None, str | None]]
    ) -> tuple[FixedIp, ...]:
        """
        Exactly these, as pairs of a subnet and an address of which one may be None: the subnet's next address, or the
        address in whichever subnet holds it. Raises InvalidInput, InvalidIpForNetwork, IpAddressInUse.
        """
        chosen: list[FixedIp] = []
        for subnet_id, address in wanted:
            one = (
                self._next_of(network_id, subnet_id) if address is None else self._exact(network_id, subnet_id, address)
            )
            if one in chosen:
                raise IpAddressInUse(network_id, one.address)
            chosen.append(one)
            if address is None:
                self._cursors[one.subnet_id] = int(ip_address(one.address))
        subnets.give(self._tx, port_id, chosen)
        return tuple(chosen)

    def _of(self, network_id: str, version: int) -> list[Subnet]:
        return [subnet for subnet in self.subnets(network_id) if subnet.ip_version == version]

    def _any(self, network_id: str, version: int) -> FixedIp:
        of = self._of(network_id, version)
        for subnet in of:
            if (found := self._next(subnet)) is not None:
                return FixedIp(subnet.id, found)
        raise self._used_up(network_id, of)

    def _next_of(self, network_id: str, subnet_id: str | None) -> FixedIp:
        subnet = next((one for one in self.subnets(network_id) if one.id == subnet_id), None)
        if subnet is None:
            raise InvalidInput("fixed_ips", f"subnet {subnet_id} is not on network {network_id}")
        if (found := self._next(subnet)) is None:
            raise self._used_up(network_id, [subnet])
        return FixedIp(subnet.id, found)

    def _used_up(self, network_id: str, of: Sequence[Subnet]) -> IpAddressGenerationFailure:
        used = {one.id: (subnets.count_given(self._tx, one.id), numbers.size(one.pools)) for one in of}
        return IpAddressGenerationFailure(network_id, used)

    def _next(self, subnet: Subnet) -> str | None:
        """The next free address of a subnet; the cursor moves to it."""
        candidates = numbers.after(subnet.pools, self._cursors[subnet.id])
        batch_size = _FIRST_BATCH
        while batch := list(islice(candidates, batch_size)):
            texts = {numbers.text(number, subnet.ip_version): number for number in batch}
            taken = subnets.taken(self._tx, subnet.id, list(texts))
            free = next((address for address in texts if address not in taken), None)
            if free is not None:
                self._cursors[subnet.id] = texts[free]
                subnets.move_cursor(self._tx, subnet.id, texts[free])
                return free
            batch_size = min(batch_size * 8, _MAX_BATCH)
        return None

    def _exact(self, network_id: str, subnet_id: str | None, address: str) -> FixedIp:
        number = ip_address(address)
        for subnet in self.subnets(network_id):
            if number in ip_network(subnet.cidr) and subnet_id in (None, subnet.id):
                break
        else:
            raise InvalidIpForNetwork(network_id, address)
        if is_reserved(subnet, address):
            raise InvalidInput("fixed_ips", f"{address} is the network or broadcast address of {subnet.cidr}")
        if address == subnet.gateway or subnets.taken(self._tx, subnet.id, [str(number)]):
            raise IpAddressInUse(network_id, address)
        return FixedIp(subnet.id, str(number))


def is_reserved(subnet: Subnet, address: str) -> bool:
    """Whether it is a subnet's own address or its broadcast address; the smallest subnets have neither."""
    network = ip_network(subnet.cidr)
    if network.num_addresses <= 2:
        return False
    number = ip_address(address)
    return number == network.network_address or (network.version == 4 and number == network.broadcast_address)
