"""
A real host from its setup: the entry point `libvirt`.

Options: `accelerator` (auto, kvm, tcg), `image_backend` (qcow2, raw), `guest_dir` (where the tiny guest is, whose kernel tries
KVM out), `uri` (libvirt's). An empty one is as good as none.

Networking and machines know each other through the records of the servers on disk: the metadata service reads there what a
guest may know, with or without a driver.
"""

from __future__ import annotations

from pathlib import Path

from kilonova.agent.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.agent.hypervisor.libvirt.kept import KeptServers
from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.agent.hypervisor.pool import Pooled
from kilonova.agent.hypervisor.port import Driver, HostSetup
from kilonova.agent.network.host import HostNetworkSettings, LinuxHostNetwork


def make_driver(setup: HostSetup) -> Driver:
    """The driver of this machine, its networks brought back as its records have them. Raises Unavailable, HostFailure."""
    driver, network = _make(setup)
    network.resume()
    return Pooled(driver)


def purge(setup: HostSetup) -> None:
    """Leave nothing of ours on this machine: no server, network or file of the host's, and no daemon that we started."""
    driver, _network = _make(setup)
    driver.purge()


def _make(setup: HostSetup) -> tuple[LibvirtDriver, LinuxHostNetwork]:
    kept = KeptServers(Layout(setup.data_dir))
    network = LinuxHostNetwork(
        HostNetworkSettings(data_dir=setup.data_dir / "network"), kept.guest, on_password=_stays_with_the_host
    )
    return LibvirtDriver(libvirt_settings(setup), network, setup.images, setup.clock), network


def libvirt_settings(setup: HostSetup) -> LibvirtSettings:
    """The driver's settings out of a host's options."""
    given = {name: value for name, value in setup.options.items() if value}
    guest = Path(given["guest_dir"]) if "guest_dir" in given else None
    return LibvirtSettings(
        data_dir=setup.data_dir,
        host_name=setup.name,
        uri=given.get("uri", "qemu:///system"),
        backend=given.get("image_backend", "qcow2"),
        accelerator=given.get("accelerator", "auto"),
        probe_kernel=guest / "vmlinuz" if guest else None,
        probe_ramdisk=guest / "probe-initrd" if guest else None,
    )


def _stays_with_the_host(_server_id: str, _password: bytes) -> None:
    """The host keeps what a guest posts as its password; nobody is told."""
