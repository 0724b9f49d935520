"""
The sections of a fleet's file. A key's text, limits and default are here and nowhere else: the sample is made of them.

A key of type `Secret` may also be given as `KEY_file`, the path of a file that holds it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kilonova.api.settings import ApiSettings, Threads
from kilonova.config.bus import BusSection
from kilonova.config.log import LogSection
from kilonova.config.secret import Secret
from kilonova.config.section import Section

Port = Annotated[int, Meta(ge=0, le=65535)]


Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._-]{0,200}$",
        description="The process' name among all of its kind, which must be its own; empty: the machine's host name.",
    ),
]
HealthHost = Annotated[
    str,
    Meta(
        description="Address of /healthz/live, /healthz/ready and /metrics. Beyond loopback, what is wrong and what is"
        " counted are told only with the token of [metrics]."
    ),
]
HealthPort = Annotated[
    int, Meta(ge=0, le=65535, description="Their port; 0: any that is free, and the log says which.")
]


StopTime = Annotated[
    int,
    Meta(
        ge=1,
        le=3600,
        description="Seconds that it may take to stop, finishing what is under way; then it ends as it is, and what it worked"
        " on is taken up as after a crash. Whoever starts and stops it (TimeoutStopSec) should wait longer.",
    ),
]


class ProcessSection(Section, frozen=True, kw_only=True):
    """What every kind of process is told."""

    name: Name = ""
    health_host: HealthHost = "127.0.0.1"
    health_port: HealthPort = 0
    stop_s: StopTime = 50


class DatabaseSection(Section, frozen=True, kw_only=True):
    """The records: PostgreSQL 15 or newer."""

    url: Annotated[
        Secret,
        Meta(
            description="postgresql://USER:PASSWORD@HOST:PORT/NAME. Several servers, of which the one that can be written to"
            " is used: postgresql://USER:PASSWORD@/NAME?host=A:5432&host=B:5432&target_session_attrs=read-write",
            examples=["postgresql://kilonova:change-me@127.0.0.1:5432/kilonova"],
        ),
    ]
    connections: Annotated[
        int, Meta(ge=2, le=500, description="How many connections a process may have open at once.")
    ] = 32
    connect_timeout_s: Annotated[
        int, Meta(ge=1, le=60, description="Seconds to wait for a connection before it counts as refused.")
    ] = 5
    reserve_mib: Annotated[
        int,
        Meta(ge=0, description="With SQLite: MiB of its disk kept for changes and deletions; then creations get 507."),
    ] = 64
    share_sqlite: Annotated[
        bool,
        Meta(
            description="Allow a sqlite:///PATH URL: every process must then be on this one machine. For trying things out."
        ),
    ] = False


class ApiSection(ApiSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`kilonova api`: what clients talk to."""

    name: Name = ""
    health_host: HealthHost = "127.0.0.1"
    health_port: HealthPort = 9780
    stop_s: StopTime = 50
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on.")] = 8774
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/\s]+)?$",
            description="What clients reach the API at, behind a balancer or not; the catalog is made of it."
            " Empty: http://HOST:PORT of this section.",
        ),
    ] = ""
    project_backlog: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Servers of one project that may wait to be built; more get 429 with Retry-After.",
        ),
    ] = 2000
    backlog: Annotated[
        int, Meta(ge=1, le=1_000_000, description="The same of all projects; more get 503 with Retry-After.")
    ] = 10_000
    drain_s: Annotated[
        int, Meta(ge=0, le=600, description="Seconds that requests under way have to finish when it is told to stop.")
    ] = 30
    policy_file: Annotated[
        str, Meta(description="A policy.yaml that overrides the rules it names; read when it exists.")
    ] = "/etc/kilonova/policy.yaml"
    credentials_file: Annotated[
        str, Meta(description="Where the first start writes the passwords it made, for its owner's eyes alone.")
    ] = "/var/lib/kilonova/api/credentials.json"

    def __post_init__(self) -> None:
        """Requests are given all their time before the process' own runs out."""
        super().__post_init__()
        if self.stop_s <= self.drain_s:
            raise ValueError(f"stop_s ({self.stop_s}) must be more than drain_s ({self.drain_s})")


class ConductorSection(ProcessSection, frozen=True, kw_only=True):
    """`kilonova conductor`: carries out what was asked, and mends what broke."""

    health_port: HealthPort = 9781
    workers: Annotated[Threads, Meta(description="Threads for what hosts and APIs say.")] = 2
    saga_workers: Annotated[Threads, Meta(description="Threads that carry out sagas.")] = 4
    lease_s: Annotated[
        float,
        Meta(
            ge=5,
            le=600,
            description="Seconds until another conductor takes over what one that died was doing. One that starts again under its"
            " name goes on at once.",
        ),
    ] = 20.0


class AgentSection(ProcessSection, frozen=True, kw_only=True):
    """`kilonova agent`: the host it runs on, or simulated ones."""

    health_port: HealthPort = 9783
    stop_s: StopTime = 110
    hypervisor: Annotated[
        str, Meta(description="The driver: libvirt, or sim for hosts that are only made believe.")
    ] = "libvirt"
    hosts: Annotated[
        int,
        Meta(
            ge=1, le=100_000, description="With sim: how many hosts this process has, named NAME-1, NAME-2 and so on."
        ),
    ] = 1
    pace: Annotated[
        float, Meta(ge=0, le=1000, description="With sim: how long things take, times life-like; 0: no time at all.")
    ] = 1.0
    data_dir: Annotated[
        str, Meta(description="Where each host has a folder for its disks, cached images and notes.")
    ] = "/var/lib/kilonova/hosts"
    credential_dir: Annotated[
        str, Meta(description="Where `kilonova host join` left what the host proves itself with.")
    ] = "/etc/kilonova"
    accelerator: Annotated[Literal["auto", "kvm", "tcg"], Meta(description="How guests run; auto tries KVM out.")] = (
        "auto"
    )
    image_backend: Annotated[Literal["qcow2", "raw"], Meta(description="The form of disks on the host.")] = "qcow2"
    tunnel_ip: Annotated[
        str,
        Meta(
            description="The IPv4 address of this host that other hosts' tunnels reach it at; empty: that of the default route."
        ),
    ] = ""
    guest_dir: Annotated[
        str, Meta(description="Where the tiny guest is, whose kernel shows whether KVM works; may be empty.")
    ] = ""


class ImagesSection(Section, frozen=True, kw_only=True):
    """Where images' bits are."""

    folder: Annotated[
        str, Meta(description="A folder that every API process shares (one machine, or a network file system).")
    ] = "/var/lib/kilonova/images"
    reserve_mib: Annotated[
        int, Meta(ge=0, description="MiB of its disk that uploads leave, all those under way counted; more get 507.")
    ] = 256


class MetricsSection(Section, frozen=True, kw_only=True):
    """What is counted, for Prometheus: each process shows it on its health port."""

    token: Annotated[
        Secret,
        Meta(
            description="What Prometheus sends as `Authorization: Bearer TOKEN` (its setting: authorization, credentials_file) to"
            " a process whose health_host is not loopback. Empty: /metrics is shown on loopback alone."
        ),
    ] = Secret("")


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sections that an agent reads."""

    bus: BusSection | None = None  # a host that has joined was given its own
    agent: AgentSection = AgentSection()
    images: ImagesSection = ImagesSection()
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
