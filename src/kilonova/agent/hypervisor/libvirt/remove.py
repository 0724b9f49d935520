"""Making a server not exist: what is unseen goes first and its folder last, so that a crash leaves something to go on from."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import libvirt

from kilonova.agent.hypervisor.libvirt.parts import Parts, hypervisor_failure
from kilonova.domain.report import Outcome
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import RemoveServer

_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def remove(parts: Parts, command: RemoveServer) -> Outcome:
    """Carry the command out; fine when nothing is there. Raises HostFailure."""
    parts.records.leave_tombstone(command)
    domain = parts.domains.find(command.server_id)
    if domain is not None:
        try:
            discard(domain)
        except libvirt.libvirtError as error:
            raise hypervisor_failure("remove the machine", error) from error
    parts.network.remove_server(command.server_id)
    remove_folder(parts, command.server_id)
    return Outcome(power_state=PowerState.NOSTATE)


def discard(domain: libvirt.virDomain) -> None:
    """Stop and undefine a domain, either of which may have happened already."""
    steps: tuple[Callable[[], object], ...] = (domain.destroy, lambda: domain.undefineFlags(_UNDEFINE))
    for step in steps if domain.isActive() else steps[1:]:
        try:
            step()
        except libvirt.libvirtError as error:
            # It ended between our question and our order.
            if error.get_error_code() not in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}:
                raise


def remove_folder(parts: Parts, server_id: str) -> None:
    """Delete a server's files, the record of whose they are last."""
    folder = parts.layout.instance(server_id)
    if not folder.path.exists():
        return
    for path in folder.path.iterdir():
        if path != folder.spec:
            path.unlink()
    folder.spec.unlink(missing_ok=True)
    shutil.rmtree(folder.path)
