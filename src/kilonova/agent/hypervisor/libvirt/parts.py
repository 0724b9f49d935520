"""What the operations of the libvirt driver work with."""

from __future__ import annotations

from dataclasses import dataclass

import libvirt

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.account import QemuAccount
from kilonova.agent.hypervisor.libvirt.domains import Domains
from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.hypervisor.libvirt.plan import HostShape
from kilonova.agent.hypervisor.libvirt.records import ServerRecords
from kilonova.agent.images.backend import DiskBackend
from kilonova.agent.images.cache import ImageCache
from kilonova.agent.network.port import HostNetworking
from kilonova.domain.clock import Clock
from kilonova.domain.report import HostFault


@dataclass(frozen=True)
class Parts:
    """The host's tools and stores, made by the driver and handed to each operation."""

    layout: Layout
    records: ServerRecords
    domains: Domains
    cache: ImageCache
    backend: DiskBackend
    network: HostNetworking
    clock: Clock
    shape: HostShape
    reserved_bytes: int
    account: QemuAccount


def hypervisor_failure(what: str, error: libvirt.libvirtError) -> HostFailure:
    """A refusal of libvirt's. What it said names paths of the host, so it is for operators."""
    wrong_on_any_host = error.get_error_code() in {libvirt.VIR_ERR_XML_ERROR, libvirt.VIR_ERR_INVALID_ARG}
    fault = HostFault(message=f"The hypervisor could not {what}.", elsewhere=not wrong_on_any_host, details=str(error))
    return HostFailure(fault)
