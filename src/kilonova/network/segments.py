"""
The ids that VXLAN networks have.

An id is unique among its kind, which the table itself holds. The search for a free one begins where the network's own id points,
so that ids are spread and one that was given back is not soon another's: hosts may still be forgetting it.
"""

from __future__ import annotations

import msgspec

from kilonova.domain.errors import Conflict
from kilonova.domain.network import Network
from kilonova.store.database import Tx
from kilonova.store.queries import networks

FLAT, VXLAN = "flat", "vxlan"
MAX_VNI = (1 << 24) - 1
VXLAN_BYTES = 50  # what VXLAN over IPv4 adds to a packet

Vnis = tuple[int, int]  # the first and the last


class NoNetworkAvailable(Conflict):
    """409: all VXLAN ids are in use."""

    code = "network.no_network_available"


class TunnelIdInUse(Conflict):
    """409: another network has the VXLAN id."""

    code = "network.tunnel_id_in_use"


def create(tx: Tx, network: Network, vnis: Vnis) -> Network:
    """
    Write a new network; a VXLAN network without an id is given one of `vnis`.

    Raises TunnelIdInUse when it has one that another network has, NoNetworkAvailable when all are in use.
    """
    if network.kind != VXLAN or network.segment is not None:
        if not networks.create(tx, network):
            raise TunnelIdInUse(
                f"Unable to create the network. The tunnel ID {network.segment} is in use.",
                next_step="Leave provider:segmentation_id out to be given a free one.",
            )
        return network
    while True:
        with_id = msgspec.structs.replace(network, segment=_free(tx, network.id, vnis))
        if networks.create(tx, with_id):  # else another transaction took it since we looked
            return with_id


def _free(tx: Tx, network_id: str, vnis: Vnis) -> int:
    first, last = vnis
    size = last - first + 1
    taken = networks.segments(tx, VXLAN, first, last)
    if len(taken) >= size:
        raise NoNetworkAvailable(
            f"Unable to create the network. All VXLAN ids from {first} to {last} are in use.",
            next_step="Delete networks that nobody uses, or widen the range in the configuration of the cloud.",
        )
    start = int(network_id.replace("-", "")[-8:], 16) % size
    return next(vni for at in range(size) if (vni := first + (start + at) % size) not in taken)
