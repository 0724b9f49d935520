"""
A real host from its setup: the entry point `libvirt`.

Options: `accelerator` (auto, kvm, tcg), `image_backend` (qcow2, raw), `guest_dir` (where the tiny guest is, whose kernel tries
KVM out), `uri` (libvirt's), `tunnel_ip` (the address of this host that other hosts' tunnels are to reach; without it, that of the
default route). An empty one is as good as none.

Networking and machines know each other through the records of the servers on disk: the metadata service reads there what a
guest may know, with or without a driver.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from kilonova.agent.command_pool import CommandPool
from kilonova.agent.driver import Driver, HostSetup
from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.hypervisor.libvirt.records import ServerRecords
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.agent.network.host import HostNetworkSettings, LinuxHostNetwork
from kilonova.domain.machine import ImageRef

_log = structlog.get_logger(__name__)


def make_driver(setup: HostSetup) -> Driver:
    """The driver of this machine, its networks brought back as its records have them. Raises Unavailable, Rejected."""
    kept = ServerRecords(Layout(setup.data_dir.resolve()))
    settings = HostNetworkSettings(
        data_dir=setup.data_dir.resolve() / "network", tunnel_ip=setup.options.get("tunnel_ip", "")
    )
    network = LinuxHostNetwork(settings, kept.guest, on_password=_stays_with_the_host)
    driver = LibvirtDriver(libvirt_settings(setup), network, setup.images, setup.clock)
    try:
        network.resume()
    except HostFailure as failure:
        # The control plane will send the networks again; and a host that cannot have them must still be open to a purge.
        _log.warning("the host's networks are not back yet", why=str(failure))
    pool = CommandPool(driver.handlers())
    return Driver(
        hypervisor=driver,
        commands=pool,
        network=network,
        images=_CachedApart(driver, pool),
        consoles=driver,
        workers=2,  # what its host is asked, and not told, is answered in the asker's thread
    )


class _CachedApart:
    """Images are fetched ahead of need by the pool's threads."""

    def __init__(self, driver: LibvirtDriver, pool: CommandPool) -> None:
        self._driver, self._pool = driver, pool

    def cache_image(self, image: ImageRef) -> None:
        self._pool.apart(lambda: self._driver.cache_image(image), f"caching image {image.id}")


def libvirt_settings(setup: HostSetup) -> LibvirtSettings:
    """The driver's settings out of a host's options."""
    given = {name: value for name, value in setup.options.items() if value}
    guest = Path(given["guest_dir"]) if "guest_dir" in given else None
    return LibvirtSettings(
        data_dir=setup.data_dir.resolve(),  # libvirt takes no relative path, and knows our machines by it
        host_name=setup.name,
        uri=given.get("uri", "qemu:///system"),
        backend=given.get("image_backend", "qcow2"),
        accelerator=given.get("accelerator", "auto"),
        probe_kernel=guest / "vmlinuz" if guest else None,
        probe_ramdisk=guest / "probe-initrd" if guest else None,
    )


def _stays_with_the_host(_server_id: str, _password: bytes) -> None:
    """The host keeps what a guest posts as its password; nobody is told."""
