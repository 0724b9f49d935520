"""
The libvirt driver: each command is a module beside this one, and here is what they share.

State: `records.py` (what each server is to be), libvirt (what it is), the image cache. None of it is held in memory, so a driver
that starts anew, after a crash or a reboot, knows what the last one knew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock

import libvirt
import msgspec

from kilonova.agent.commands import Handlers, OnStage
from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.accelerator import Accelerator, find_accelerator
from kilonova.agent.hypervisor.libvirt.account import qemu_account, require_passage
from kilonova.agent.hypervisor.libvirt.console import console_tail
from kilonova.agent.hypervisor.libvirt.disks import images_of
from kilonova.agent.hypervisor.libvirt.domains import Domains, power_state
from kilonova.agent.hypervisor.libvirt.ensure import close_screens, ensure
from kilonova.agent.hypervisor.libvirt.facts import host_facts
from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.hypervisor.libvirt.libvirtd import Daemons
from kilonova.agent.hypervisor.libvirt.parts import Parts, hypervisor_failure
from kilonova.agent.hypervisor.libvirt.plan import HostShape
from kilonova.agent.hypervisor.libvirt.power import set_power
from kilonova.agent.hypervisor.libvirt.records import ServerRecords
from kilonova.agent.hypervisor.libvirt.remove import discard, remove
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.agent.images.backend import DiskBackend
from kilonova.agent.images.cache import ImageCache, cache_key
from kilonova.agent.images.port import ImageSource
from kilonova.agent.images.qcow2 import Qcow2Backend
from kilonova.agent.images.raw import RawBackend
from kilonova.agent.network.port import HostNetworking
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Missing
from kilonova.domain.host import HostFacts
from kilonova.domain.machine import GuestData, ImageRef
from kilonova.domain.report import HostFault, Observed, Outcome
from kilonova.rpc.commands import EnsureServer, RemoveServer, SetPower, UpdateGuestData

_NETWORK_KINDS = {"dhcp": "dhcp_entries"}
_TIDY_EVERY_S = 3600.0
_BACKENDS: dict[str, type[Qcow2Backend | RawBackend]] = {"qcow2": Qcow2Backend, "raw": RawBackend}


class LibvirtDriver:
    """The hypervisor and consoles of one host, and its handlers, which block. Making one starts libvirtd when nothing answers."""

    def __init__(self, settings: LibvirtSettings, network: HostNetworking, images: ImageSource, clock: Clock) -> None:
        self._settings = settings
        layout = Layout(settings.data_dir)
        self._daemons = Daemons(layout.daemons, settings.uri, may_start=settings.start_daemons)
        domains = Domains(self._daemons, str(settings.data_dir), clock)
        account = qemu_account(domains.connection())
        kept = ServerRecords(layout, group=account.gid)
        kept.open()
        require_passage(layout.instances, account)
        self.accelerator: Accelerator = find_accelerator(settings, layout.verdict)
        reserved = settings.reserved_disk_mib << 20
        cache = ImageCache(layout.images, images, clock, reserved_bytes=reserved, group=account.gid)
        backend: DiskBackend = _BACKENDS[settings.backend](cache, reserved_bytes=reserved)
        self._facts = host_facts(domains.connection(), settings.data_dir, self.accelerator, network)
        shape = HostShape(
            kvm=self.accelerator.name == "kvm",
            arch=self._facts.arch,
            owner=str(settings.data_dir),
            root_format=backend.format,
            direct_io=_takes_direct_io(layout.instances),
        )
        self._parts = Parts(layout, kept, domains, cache, backend, network, clock, shape, reserved, account)
        close_screens(self._parts)
        self._busy: set[str] = set()
        self._busy_lock = Lock()
        self._changed: Callable[[Observed], None] | None = None
        self._closed = False

    # --- commands ---

    def ensure(self, command: EnsureServer, stage: OnStage) -> Outcome:
        with self._at_work(command.server_id):
            return ensure(self._parts, command, stage)

    def remove(self, command: RemoveServer) -> Outcome:
        with self._at_work(command.server_id):
            return remove(self._parts, command)

    def set_power(self, command: SetPower) -> Outcome:
        with self._at_work(command.server_id):
            return set_power(self._parts, command)

    def update_guest_data(self, command: UpdateGuestData) -> Outcome:
        """The metadata service tells the new; the config drive goes on telling what was true at the first boot."""
        kept = self._parts.records.read(command.server_id)
        if kept is None:
            raise HostFailure(HostFault(message="The machine is not on this host.", code=404, elsewhere=False))
        old = kept.spec.guest
        guest = msgspec.structs.replace(
            command.guest,
            block_devices=old.block_devices,
            devices=old.devices,
            random_seed=old.random_seed,
            admin_pass=None,
        )
        spec = msgspec.structs.replace(kept.spec, guest=guest)
        self._parts.records.write(msgspec.structs.replace(kept, spec=spec).after(command))
        return Outcome()

    def handlers(self) -> Handlers:
        """Who carries out which command."""
        return {
            EnsureServer: self.ensure,
            RemoveServer: lambda command, _: self.remove(command),
            SetPower: lambda command, _: self.set_power(command),
            UpdateGuestData: lambda command, _: self.update_guest_data(command),
        }

    def cache_image(self, image: ImageRef) -> None:
        """Fetch an image, in the caller's thread."""
        self._parts.cache.fetch(image)

    # --- what is there ---

    def facts(self) -> HostFacts:
        return self._facts

    def observe(self) -> list[Observed]:
        kept = self._parts.records.all()
        return [
            Observed(
                server_id=server_id,
                power_state=power_state(domain),
                generation=kept[server_id].done if server_id in kept else 0,
            )
            for server_id, domain in sorted(self._parts.domains.all().items())
        ]

    def generations(self, epoch: str) -> dict[str, int]:
        return self._parts.records.generations(epoch)

    def watch(self, changed: Callable[[Observed], None]) -> None:
        self._changed = changed
        self._parts.domains.watch(self._look)
        self._tidy_later()

    def guest_data(self, server_id: str) -> GuestData | None:
        """What a guest may read of itself; None when it is not here."""
        return self._parts.records.guest(server_id)

    def console_output(self, server_id: str, lines: int | None) -> str:
        folder = self._parts.layout.instance(server_id)
        if not folder.path.exists():
            raise Missing("Instance", server_id)
        return console_tail(folder, lines)

    def uptime(self) -> str:
        return subprocess.run(["uptime"], check=False, capture_output=True, text=True).stdout.strip()

    def inventory(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Disks are listed as their servers' folders; of the network's things those that belong to nothing are."""
        found = self._parts.network.audit()
        of_network = {
            _NETWORK_KINDS.get(kind, kind): tuple((thing, "") for thing in things) for kind, things in found.items()
        }
        return {
            "disks": tuple((server_id, server_id) for server_id in self._parts.records.folders()),
            "cache_parts": tuple((part.name, "") for part in self._parts.cache.parts()),
            **of_network,
        }

    # --- housekeeping ---

    def tidy(self) -> list[str]:
        """Drop images nothing here uses and memories nobody needs; the images' cache keys. Done now and then by itself."""
        now = self._parts.clock.now()
        self._parts.records.forget(now)
        in_use = {cache_key(image) for kept in self._parts.records.all().values() for image in images_of(kept.spec)}
        return self._parts.cache.sweep(now, in_use, timedelta(seconds=self._settings.image_max_age_s))

    def close(self) -> None:
        self._closed = True
        self._parts.domains.close()
        self._parts.network.close()

    def purge(self) -> None:
        """Leave nothing of ours: no machine, no network, no file, no daemon that we started. The driver is closed after it."""
        for domain in self._parts.domains.all().values():
            try:
                discard(domain)
            except libvirt.libvirtError as error:
                raise hypervisor_failure("remove a machine", error) from error
        self._parts.network.purge()
        others = self._parts.domains.connection().listAllDomains()  # of other people, running or not
        self.close()
        layout = self._parts.layout
        if not others:  # else the note of which daemons are ours stays, for a purge to come
            self._daemons.stop()
            shutil.rmtree(layout.daemons, ignore_errors=True)
        for folder in (layout.instances, layout.images, layout.removed):
            shutil.rmtree(folder, ignore_errors=True)
        layout.verdict.unlink(missing_ok=True)

    def _tidy_later(self) -> None:
        def tidy() -> None:
            if not self._closed:
                self.tidy()
                self._tidy_later()

        self._parts.clock.call_later(_TIDY_EVERY_S, tidy)

    @contextmanager
    def _at_work(self, server_id: str) -> Iterator[None]:
        """While a command is carried out, changes of its machine are its own doing and told in its outcome."""
        with self._busy_lock:
            self._busy.add(server_id)
        try:
            yield
        except libvirt.libvirtError as error:
            raise hypervisor_failure("be reached", error) from error
        finally:
            with self._busy_lock:
                self._busy.discard(server_id)

    def _look(self, server_id: str) -> None:
        """Something may have happened to a machine: say what it is now."""
        with self._busy_lock:
            if server_id in self._busy or self._changed is None:
                return
        domain = self._parts.domains.find(server_id)
        if domain is None:
            return
        kept = self._parts.records.read(server_id)
        with suppress(libvirt.libvirtError):  # it was undefined as we looked, and that tells its own event
            self._changed(
                Observed(
                    server_id=server_id, power_state=power_state(domain), generation=0 if kept is None else kept.done
                )
            )


def _takes_direct_io(folder: Path) -> bool:
    """Whether the file system lets QEMU go around the page cache (tmpfs and some network file systems do not)."""
    probe = folder / ".direct-io"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True
