"""The host's networking on Linux: see the package's text for states, invariants and the order of a pass."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
from pyroute2.netlink.exceptions import NetlinkError

from kilonova.agent import host_network_state as states
from kilonova.agent.failure import HostFailure
from kilonova.agent.metadata.passwords import OnPassword, PasswordFiles
from kilonova.agent.metadata.server import MetadataServer
from kilonova.agent.network import conflicts, inspection, machine, records
from kilonova.agent.network.beyond import Beyond, plan_beyond
from kilonova.agent.network.conflicts import refused
from kilonova.agent.network.devices import foreign_routes, own_addresses, routes_beside
from kilonova.agent.network.dhcp import DhcpServers, stop_dhcp, unprivileged_user
from kilonova.agent.network.dnsmasq import Folder, plan_dhcp
from kilonova.agent.network.fabric import Fabric
from kilonova.agent.network.firewall import ruleset
from kilonova.agent.network.flows import forget_flows, lets_through, revoked
from kilonova.agent.network.gateways import Gateway
from kilonova.agent.network.names import uplink_name
from kilonova.agent.network.slots import plan_slots, uplink_pair
from kilonova.agent.network.sysctl import IP_FORWARD, ensure_bridge_netfilter, read_sysctl, write_sysctl
from kilonova.agent.network.tunnels import Tunnel
from kilonova.domain.hostnet import HeldNetworks, HostNetwork, NetworkSpec, ShareChange
from kilonova.domain.machine import GuestData
from kilonova.private import ensure_folder

DEFAULT_RUN_DIR = Path("/run/kilonova")
GuestDataOf = Callable[[str], GuestData | None]  # by server id


@dataclass(frozen=True)
class HostNetworkSettings:
    """
    Where the host's networking keeps its things. Two of them in one network namespace need different directories and tables.

    `data_dir` survives a reboot; `run_dir` need not, and lies where everybody may pass (None: below /run, named for the first).
    `tunnel_ip`: the host's own IPv4 address that other hosts' tunnels reach it at (empty: that of the default route).
    """

    data_dir: Path
    run_dir: Path | None = None
    table: str = "kilonova"
    tunnel_ip: str = ""

    def run(self) -> Path:
        """The run directory."""
        name = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:12]
        return self.run_dir or DEFAULT_RUN_DIR / name

    def tag(self) -> str:
        """What tells this host's namespaces from those of others on the machine."""
        return hashlib.sha256(str(self.run()).encode()).hexdigest()[:8]


class LinuxHostNetwork:
    """
    Implements `HostNetworking` with bridges, tunnels, dnsmasq and nftables from the network namespace of the process.

    `guest_data` gives what a server's guest may read of itself, `on_password` takes what a guest posts as its password.
    """

    def __init__(self, settings: HostNetworkSettings, guest_data: GuestDataOf, on_password: OnPassword) -> None:
        self._run_dir = settings.run()
        self._table = settings.table
        self._lock = threading.Lock()
        self._file = records.RecordFile(settings.data_dir / "state.json")
        self._records = records.Records()
        self._ruled_for = Beyond()
        self._servers: dict[tuple[str, str], str] = {}
        self._fabric = Fabric(settings.tag(), settings.table, settings.tunnel_ip)
        self._dhcp = DhcpServers()
        self._passwords = PasswordFiles(settings.data_dir / "passwords", on_password)
        self._metadata = MetadataServer(self._whose, guest_data, self._passwords)
        with _failing_to("read what it keeps of its networks"):
            self._remember(self._file.read())

    def tunnel_address(self) -> str:
        return self._fabric.tunnel_address()

    def addresses(self) -> tuple[str, ...]:
        return own_addresses(but=self._own_devices())

    def resume(self) -> None:
        """Bring back what the records say, as after a reboot. Raises HostFailure when that cannot be."""
        with self._lock:
            if self._records.share.networks:
                self._pass(self._records.share)

    def merge(self, part: HostNetwork) -> None:
        with self._lock:
            self._pass(states.merged(self._records.share, part))

    def replace(self, state: HostNetwork) -> None:
        with self._lock:
            self._pass(states.replaced(self._records.share, state))

    def update(self, part: HostNetwork) -> None:
        with self._lock:
            updated = states.updated(self._records.share, part)
            if updated != self._records.share:
                self._pass(updated)

    def change(self, change: ShareChange) -> bool:
        with self._lock:
            changed = states.changed(self._records.share, change)
            if changed is not None and changed != self._records.share:
                self._pass(changed)
            return changed is not None

    def held(self) -> HeldNetworks:
        return states.held(self._records.share)

    def tend(self) -> None:
        with self._lock:
            share = self._records.share
            if share.networks and self._beyond(share) != self._ruled_for:
                self._pass(share)

    def remove_server(self, server_id: str) -> None:
        self._passwords.forget(server_id)
        with self._lock:
            share = self._records.share
            if any(port.server_id == server_id for port in share.ports):
                self._pass(states.without_server(share, server_id))

    def close(self) -> None:
        self._metadata.close()

    def purge(self) -> None:
        self._metadata.close()
        with self._lock, _failing_to("remove its networks"):
            for folder in self._folders():
                self._remove_network(folder)
            self._fabric.purge()
            ruleset.apply(ruleset.removal(self._table))
            for name, value in self._records.sysctls.items():
                write_sysctl(name, value)
            self._remember(records.Records())
            self._file.delete()
            self._passwords.purge()
            shutil.rmtree(self._run_dir, ignore_errors=True)
            with suppress(OSError):  # another cloud's directory is beside ours
                DEFAULT_RUN_DIR.rmdir()

    def audit(self) -> dict[str, list[str]]:
        """What of ours is on the host without an owner in the records, by kind. Empty lists are good."""
        with self._lock, _failing_to("look at its networks"):
            share = self._records.share
            return inspection.orphans(share, self._folders(), self._table) | self._fabric.orphans(share)

    def _pass(self, share: HostNetwork) -> None:
        """Check, note, converge. The caller holds the lock."""
        with _failing_to("set up its networks"):
            tunnels = self._fabric.tunnels(share)
            slots = plan_slots(share.networks, self._records.slots)
            gateways = self._fabric.gateways(share, slots)
            beyond = self._beyond(share)
            firewall = self._checked(share, slots, tunnels, beyond)
            taken = revoked(self._records.share, share)
            self._note(share, slots)
            listeners = {one.bridge: self._served(one, gateways[one.bridge]) for one in share.networks}
            ruleset.apply(firewall)
            self._ruled_for = beyond
            for network in share.networks:
                self._fabric.rule(network, listeners[network.bridge])
            forget_flows(taken, partial(lets_through, share))
            self._converge_dhcp(share)
            self._fabric.converge_tunnels(tunnels)
            for folder in self._folders():
                if folder.path.name not in listeners:
                    self._remove_network(folder)

    def _checked(self, share: HostNetwork, slots: dict[str, int], tunnels: Sequence[Tunnel], beyond: Beyond) -> str:
        """The firewall's text for `share`, once nothing speaks against it. Nothing has changed yet when this refuses."""
        conflicts.check_ports(share)
        if (share.networks, slots) != (self._records.share.networks, self._records.slots):
            conflicts.check_kinds(share)
            routes = foreign_routes(self._own_devices())
            conflicts.check_machine(map(uplink_pair, slots.values()), routes, machine.resolvers())
            self._fabric.check(tunnels)
        return ruleset.plan_ruleset(share, self._table, self._fabric.gateways(share, slots), tunnels, beyond)

    def _served(self, network: NetworkSpec, gateway: Gateway) -> int:
        """Make the network's devices, and the socket of its metadata; the port of that."""
        _make_passable(self._folder(network.bridge).path, below=self._run_dir)
        if self._fabric.ensure(network, gateway):
            self._metadata.forget(network.bridge)  # which listened in another namespace, or nowhere
        with self._fabric.place(network):
            return self._metadata.serve(network.id, network.bridge)

    def _note(self, share: HostNetwork, slots: dict[str, int]) -> None:
        """Write the records, then do what the machine as a whole needs for them."""
        forward = any(network.nat for network in share.networks) and read_sysctl(IP_FORWARD) == "0"
        sysctls = self._records.sysctls
        if forward:
            sysctls = {**sysctls, IP_FORWARD: sysctls.get(IP_FORWARD, "0")}
        fresh = records.Records(share=share, slots=slots, sysctls=sysctls)
        if fresh != self._records or not self._file.exists():
            self._file.write(fresh)
        self._remember(fresh)
        if share.networks:
            ensure_bridge_netfilter()
        if forward:
            write_sysctl(IP_FORWARD, "1")

    def _remember(self, fresh: records.Records) -> None:
        self._records = fresh
        self._servers = states.servers_by_address(fresh.share)

    def _converge_dhcp(self, share: HostNetwork) -> None:
        user, upstream = unprivileged_user(), machine.upstream()
        for network in share.networks:
            folder = self._folder(network.bridge)
            ports = states.ports_on(share, network.id)
            plan = plan_dhcp(network, ports, folder, user, upstream)
            if plan is None:
                stop_dhcp(folder)
                continue
            with self._fabric.place(network):
                self._dhcp.ensure(folder, plan)

    def _remove_network(self, folder: Folder) -> None:
        """Its folder goes last: while there is one, a pass knows that there may be more."""
        self._metadata.forget(folder.path.name)
        stop_dhcp(folder)
        self._fabric.remove(folder.path.name)
        self._dhcp.remove(folder)

    def _folder(self, bridge: str) -> Folder:
        return Folder(self._run_dir / bridge)

    def _folders(self) -> list[Folder]:
        return [Folder(path) for path in sorted(self._run_dir.glob("*"))] if self._run_dir.is_dir() else []

    def _beyond(self, share: HostNetwork) -> Beyond:
        """What guests may reach by their gateways, as the machine is now."""
        return plan_beyond(share.reach, routes_beside(self._own_devices()), machine.upstream_resolvers())

    def _own_devices(self) -> set[str]:
        """The devices behind which the host's routing table has its own networks."""
        bridges = [folder.path.name for folder in self._folders()]
        return {*bridges, *map(uplink_name, bridges)}

    def _whose(self, network_id: str, address: str) -> str | None:
        return self._servers.get((network_id, address))


def _make_passable(folder: Path, below: Path) -> None:
    """Make a folder that dnsmasq's user can get to, and nobody but root can list, whatever the process' umask is."""
    for path in (below, folder):
        ensure_folder(path)
        path.chmod(0o711)


@contextmanager
def _failing_to(doing: str) -> Iterator[None]:
    """Have what goes wrong on the host be said as the port promises."""
    try:
        yield
    except HostFailure:
        raise
    except subprocess.CalledProcessError as error:
        raise refused(f"This host could not {doing}: {' '.join(error.cmd)} says {str(error.stderr).strip()}") from error
    except (OSError, NetlinkError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise refused(f"This host could not {doing}: {error}") from error
