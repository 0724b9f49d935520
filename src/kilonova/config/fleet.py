"""All sections of a fleet's file: what the processes of the control plane read."""

from __future__ import annotations

import msgspec

from kilonova.config.bus import BusSection
from kilonova.config.keys import KeysSection
from kilonova.config.log import LogSection
from kilonova.config.network import NetworkSection
from kilonova.config.sections import (
    AgentSection,
    ApiSection,
    ConductorSection,
    DatabaseSection,
    HealthHost,
    HealthPort,
    ImagesSection,
    MetricsSection,
    Name,
    StopTime,
)
from kilonova.domain.host import HostDefaults
from kilonova.domain.retention import Retention
from kilonova.scheduler.settings import SchedulerSettings


class SchedulerSection(SchedulerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`kilonova scheduler`: decides where servers go."""

    name: Name = ""
    health_host: HealthHost = "127.0.0.1"
    health_port: HealthPort = 9782
    stop_s: StopTime = 50


class HostDefaultsSection(HostDefaults, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host that joins for the first time is set up."""


class RetentionSection(Retention, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the records of what is over are kept; conductors remove the others, every ten minutes."""


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a fleet's file."""

    database: DatabaseSection
    bus: BusSection
    api: ApiSection = ApiSection()
    conductor: ConductorSection = ConductorSection()
    scheduler: SchedulerSection = SchedulerSection()
    host_defaults: HostDefaultsSection = HostDefaultsSection()
    retention: RetentionSection = RetentionSection()
    agent: AgentSection = AgentSection()
    images: ImagesSection = ImagesSection()
    network: NetworkSection = NetworkSection()
    metrics: MetricsSection = MetricsSection()
    keys: KeysSection = KeysSection()
    log: LogSection = LogSection()
