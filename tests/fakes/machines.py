"""The least machine that a host can be told to make."""

from __future__ import annotations

from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.machine import GuestData, MachineSpec
from kilonova.rpc.commands import EnsureServer


def ensure_server(server_id: str, *, generation: int, command_id: str) -> EnsureServer:
    """A command to make one."""
    guest = GuestData(
        server_id=server_id, instance_name="instance-00000001", number=1, name="vm", hostname="vm", project_id="p",
        availability_zone="nova", launch_index=0, reservation_id="r-1", instance_type="tiny",
    )  # fmt: skip
    spec = MachineSpec(
        server_id=server_id, generation=generation, instance_name="instance-00000001", project_id="p", vcpus=1,
        ram_mib=64, disks=(), nics=(), guest=guest,
    )  # fmt: skip
    return EnsureServer(
        command_id=command_id, server_id=server_id, generation=generation, spec=spec, network=HostNetwork()
    )
