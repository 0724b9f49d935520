"""
The process of an agent: this machine as a host of a fleet, or simulated hosts.

A host that has joined (`kilonova host join`) has its own credential: with that it reaches the bus as itself and gets images' bits
from the API. Without one, the settings' own bus user and folder of images serve: for hosts that are trusted as the control
plane itself is, like simulated ones.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from prometheus_client import CollectorRegistry

from kilonova.agent.credential import FILE, Membership, read_membership
from kilonova.agent.driver import HostSetup
from kilonova.agent.images.folder import FolderImages
from kilonova.agent.images.port import ImageSource
from kilonova.agent.images.remote import RemoteImages
from kilonova.bootstrap.agent import HostPlan, make_hosts, numbered
from kilonova.bootstrap.watching import BusCollector, bus_check
from kilonova.config.sections import AgentConfig
from kilonova.daemon.health import Health
from kilonova.daemon.life import Component, Daemon
from kilonova.domain.clock import SystemClock
from kilonova.domain.errors import Rejected
from kilonova.faults import Faults
from kilonova.rpc.observed import ObservedBus
from kilonova.rpc.sealing import HostKey
from kilonova.rpc.transports import make_bus


def make_agent(config: AgentConfig) -> Daemon:
    """`kilonova agent`. Raises Rejected when there is nothing to reach the bus with."""
    membership = _membership(config)
    wire = make_bus(_bus_url(config, membership))
    registry = CollectorRegistry()
    registry.register(BusCollector(wire))
    clock, bus = SystemClock(), Faults(os.environ).bus(ObservedBus(wire, registry))
    plan = host_plan(config, membership)
    images: ImageSource = FolderImages(Path(config.images.folder)) if membership is None else RemoteImages(membership)
    hosts = make_hosts(plan, images, bus, clock, _simulated_key if plan.hypervisor == "sim" else _kept_key)

    def make_roles() -> list[Component]:
        return [hosts]

    return Daemon(
        health=Health({"bus": bus_check(wire), "hosts": hosts.problem}, registry, token=config.metrics.token.reveal()),
        health_host=config.agent.health_host,
        health_port=config.agent.health_port,
        make_roles=make_roles,
        close=bus.close,
        stop_s=config.agent.stop_s,
    )


def host_plan(config: AgentConfig, membership: Membership | None) -> HostPlan:
    """Which hosts this process has."""
    agent = config.agent
    own = agent.name or socket.gethostname()
    is_sim = agent.hypervisor == "sim" and membership is None
    names = numbered(own, agent.hosts) if is_sim else (membership.name if membership else own,)
    return HostPlan(
        hypervisor=agent.hypervisor,
        names=names,
        folder=Path(agent.data_dir),
        options={
            "pace": str(agent.pace),
            "accelerator": agent.accelerator,
            "image_backend": agent.image_backend,
            "guest_dir": agent.guest_dir,
            "tunnel_ip": agent.tunnel_ip,
        },
    )


def _kept_key(setup: HostSetup) -> HostKey:
    """A host's own, beside its guests' data."""
    return HostKey.kept_in(setup.data_dir)


def _simulated_key(setup: HostSetup) -> HostKey:
    """Simulated guests have no secrets, and thousands of hosts need no file each."""
    return HostKey.of_simulated(setup.name)


def _membership(config: AgentConfig) -> Membership | None:
    folder = Path(config.agent.credential_dir)
    return read_membership(folder) if (folder / FILE).exists() else None


def _bus_url(config: AgentConfig, membership: Membership | None) -> str:
    if membership is not None:
        return membership.bus_url
    if config.bus is not None:
        return config.bus.url.reveal()
    raise Rejected(
        "This host has not joined a fleet, and the settings name no bus.",
        next_step="kilonova host join URL TOKEN   # with a token of: kilonova host token --host NAME",
    )
