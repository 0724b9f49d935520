"""Looks at the host: what of ours is there without an owner, and what of others drops guests' packets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from kilonova.agent.network.devices import devices
from kilonova.agent.network.dhcp import dhcp_pid
from kilonova.agent.network.dnsmasq import Folder
from kilonova.domain.hostnet import HostNetwork

_LIMIT_S = 30


def orphans(share: HostNetwork, folders: Sequence[Folder], table: str) -> dict[str, list[str]]:
    """Taps, bridges, guarded taps of the firewall and DHCP entries that nothing in `share` owns."""
    bridges = {network.bridge for network in share.networks}
    taps = {port.tap for port in share.ports}
    macs = {port.mac.lower() for port in share.ports}
    entries = [line for folder in folders for line in _lines(folder) if line.partition(",")[0] not in macs]
    servers = [
        f"dnsmasq of {folder.path.name}" for folder in folders if folder.path.name not in bridges and dhcp_pid(folder)
    ]
    return {
        "taps": [name for name in devices("knt") if name not in taps],
        "bridges": [name for name in devices("knb") if name not in bridges],
        "rules": sorted(_guarded(table) - taps),
        "dhcp": [*servers, *entries],
    }


def forward_blockers() -> list[str]:
    """
    What else on this machine drops forwarded packets by default, in words: an `accept` of ours cannot overrule it.

    Docker and ufw do that. Empty when nothing does, or when nftables cannot be asked.
    """
    ruleset = _listed("ruleset")
    return [
        f"chain {chain['name']} of table {chain['family']} {chain['table']} drops forwarded packets by default"
        for chain in _objects(ruleset, "chain")
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "ip6", "inet")
    ]


def _guarded(table: str) -> set[str]:
    return {
        element if isinstance(element, str) else element["elem"]["val"]
        for found in _objects(_listed("set", "bridge", table, "taps"), "set")
        for element in found.get("elem", [])
    }


def _listed(*what: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["nft", "--json", "list", *what], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    listed: list[dict[str, Any]] = json.loads(done.stdout)["nftables"] if done.returncode == 0 else []
    return listed


def _objects(listed: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item[kind] for item in listed if kind in item]


def _lines(folder: Folder) -> list[str]:
    return folder.hosts.read_text().splitlines() if folder.hosts.exists() else []
