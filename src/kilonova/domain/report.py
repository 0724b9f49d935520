"""What a host says back: the outcome of a command, and what it sees running."""

from __future__ import annotations

import msgspec

from kilonova.domain.server import PowerState


class HostFault(msgspec.Struct, frozen=True, kw_only=True):
    """
    Why a host could not do a thing. `elsewhere`: another host could (no space, no hypervisor); False: none will
    (a corrupt image).
    """

    message: str
    code: int = 500
    elsewhere: bool = True
    details: str = ""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One machine as a hypervisor sees it now. `generation`: of the newest command about it that the host has carried out."""

    server_id: str
    power_state: PowerState
    generation: int = 0


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What only its host knows of a machine that was made: the first disk's name, and the paths of its consoles there."""

    root_device: str | None = None
    vnc_socket: str | None = None
    serial_path: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended on a host: a fault, or what is now true. `boot_id`: the run of the host in which it was true."""

    fault: HostFault | None = None
    power_state: PowerState | None = None
    boot_id: str = ""
    machine: MachineFacts | None = None  # of EnsureServer
