"""The devices of a network, named after its bridge: `knb` becomes another three letters, the rest stays."""

from __future__ import annotations

_BRIDGE = "knb"
KINDS = ("knx", "knr", "knu")  # beside bridges (knb) and taps (knt), what is ours among a host's devices


def tunnel_name(bridge: str) -> str:
    """The VXLAN device."""
    return "knx" + bridge.removeprefix(_BRIDGE)


def gateway_port_name(bridge: str) -> str:
    """The bridge's end of the cable to the gateway's namespace."""
    return "knr" + bridge.removeprefix(_BRIDGE)


def uplink_name(bridge: str) -> str:
    """The machine's end of the cable on which the gateway reaches the outside."""
    return "knu" + bridge.removeprefix(_BRIDGE)


def bridge_of(name: str) -> str:
    """The bridge that a device is named after."""
    return _BRIDGE + name[len(_BRIDGE) :]
