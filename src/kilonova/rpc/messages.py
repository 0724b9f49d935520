"""
Every message that crosses the bus; those that command a host are in `commands.py`.

Commands name what they are about and carry its generation; the host answers with `Report`, whose `command_id` is the command's
own. Any message may be lost, doubled or late: commands converge, reports are folded once (the saga's row knows which command it
waits for), wake-ups are hints. `request_id` follows the user's request through every process.
"""

from __future__ import annotations

import msgspec

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostFacts, HostUse
from kilonova.domain.hostnet import HeldNetworks, HostNetwork, ShareChange
from kilonova.domain.machine import ImageRef
from kilonova.domain.placement import Decision
from kilonova.domain.report import HostFault, Observed, Outcome
from kilonova.domain.saga import Subject


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages; the class name is the tag on the wire."""

    request_id: str = ""


class OfEpoch(Message, frozen=True, kw_only=True):
    """A message with generations in it: they are compared within one `epoch` of the records; "" is said by who does not know."""

    epoch: str = ""


def is_same(one: str, other: str) -> bool:
    """Whether two epochs may be the same one: that nobody named (a process of an earlier release does not) may be any."""
    return one == other or not one or not other


# --- casts to a host's agent (topic `agent.<host>`) ---------------------------------------------------------------


class CacheImage(Message, frozen=True, kw_only=True):
    """Fetch an image into the host's cache ahead of need."""

    image: ImageRef


class NetworkChanged(OfEpoch, frozen=True, kw_only=True):
    """
    Something in this host's networks changed, or it had missed that.

    `part` brings up to date what the host has of it, and adds no network or port: those come with servers.
    """

    part: HostNetwork


class ShareChanged(OfEpoch, frozen=True, kw_only=True):
    """A network or group is one generation on. Fanned out to the hosts that share it; who misses it finds out by the next."""

    change: ShareChange


# --- calls to a host (they have a reply) -----------------------------------------------------------------------------


class GetConsoleOutput(Message, frozen=True, kw_only=True):
    """The tail of a server's console log. `lines` None: all that is kept."""

    server_id: str
    lines: int | None = None


class ConsoleOutput(Message, frozen=True, kw_only=True):
    """Reply to GetConsoleOutput."""

    output: str


class TakeInventory(Message, frozen=True, kw_only=True):
    """What is on the host, with or without an owner? Replied to with Inventory."""


class Inventory(Message, frozen=True, kw_only=True):
    """
    Reply to TakeInventory.

    `machines` are the servers that the hypervisor has; `things` are, by kind (disks, cache_parts, taps, rules, dhcp_entries...),
    the things of ours on the host that belong to a server or network, as (thing, id of the server it is for, or "" for none).
    """

    machines: tuple[str, ...]
    things: dict[str, tuple[tuple[str, str], ...]] = {}


class GetUptime(Message, frozen=True, kw_only=True):
    """The host's uptime line, as the hypervisors API shows it."""


class Uptime(Message, frozen=True, kw_only=True):
    """Reply to GetUptime."""

    text: str


# --- from hosts to the conductor (topic `conductor`) -----------------------------------------------------------------


class Report(OfEpoch, frozen=True, kw_only=True):
    """The end of a command, of whose epoch it is."""

    host: str
    command_id: str
    subject: Subject
    generation: int
    outcome: Outcome


class Progress(Message, frozen=True, kw_only=True):
    """A command has reached a stage now: when, is said by the clock of who hears it. For the timeline and the progress figure."""

    host: str
    command_id: str
    subject: Subject
    stage: str  # image, disks, network, domain
    percent: int


class HostStarted(Message, frozen=True, kw_only=True):
    """
    An agent came up: what its host is, and what it found there.

    `boot_id` changes when the host itself was restarted: then its machines are down by no wish of anybody's. `seal_key` is what
    secrets of its guests are to be sealed with on their way ("": they need not be).
    """

    host: str
    boot_id: str
    facts: HostFacts
    observed: tuple[Observed, ...]
    seal_key: str = ""


class Heartbeat(Message, frozen=True, kw_only=True):
    """The agents of these hosts are alive (one process may serve several simulated ones)."""

    hosts: tuple[str, ...]


class PowerChanged(Message, frozen=True, kw_only=True):
    """A machine changed its power state without being told to, in this run of its host."""

    host: str
    observed: Observed
    boot_id: str = ""


class HostState(OfEpoch, frozen=True, kw_only=True):
    """
    Reply to HostStarted: the whole of the host's networks.

    What is to happen to servers comes as commands: a host destroys nothing on a guess.
    """

    network: HostNetwork = HostNetwork()


class HostObserved(Message, frozen=True, kw_only=True):
    """What runs on a host, said now and then: heals what a lost PowerChanged left wrong."""

    host: str
    observed: tuple[Observed, ...]
    boot_id: str = ""


class NetworksHeld(OfEpoch, frozen=True, kw_only=True):
    """
    Which generation of each of its networks and groups a host has.

    Said now and then, and when it sees that it has missed something: it is told what is newer.
    """

    host: str
    held: HeldNetworks


class NetworksChanged(Message, frozen=True, kw_only=True):
    """There are changes of networks to tell hosts of: a wake-up only, the records are the truth."""


class GuestDataChanged(Message, frozen=True, kw_only=True):
    """There are guests' data to tell hosts of: a wake-up only, the records are the truth."""


class SagaReady(Message, frozen=True, kw_only=True):
    """A saga of this project can go on: a wake-up only, the row is the truth."""

    saga_id: str
    project_id: str | None = None


# --- to the scheduler (topic `scheduler`) ----------------------------------------------------------------------------


class Place(Message, frozen=True, kw_only=True):
    """Where could this server go? Replied to with Placed. Decides only: the claim is made by who asked."""

    request: SchedulingRequest


class Placed(Message, frozen=True, kw_only=True):
    """Reply to Place."""

    decision: Decision


class PlaceSome(Message, frozen=True, kw_only=True):
    """Where would `count` servers of one request go, one after another? Replied to with PlacedSome. Nothing is claimed."""

    request: SchedulingRequest
    count: int = 1


class PlacedSome(Message, frozen=True, kw_only=True):
    """Reply to PlaceSome: a decision for each, up to the first that finds no host."""

    decisions: tuple[Decision, ...]


class FleetUse(Message, frozen=True, kw_only=True):
    """A claim or release changed this host's use. Fanned out; losing one only makes a claim fail and be decided again."""

    use: HostUse


class FleetChanged(Message, frozen=True, kw_only=True):
    """Hosts came, went, or changed otherwise: read the records again."""


# --- replies without content -----------------------------------------------------------------------------------------


class Ok(Message, frozen=True, kw_only=True):
    """The empty reply."""


class Failed(Message, frozen=True, kw_only=True):
    """A call could not be answered."""

    fault: HostFault
