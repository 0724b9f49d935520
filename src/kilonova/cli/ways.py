"""
The way from this machine to a guest: by the namespace of its network's gateway where this machine has one, else straight on.

A network's range is its tenant's choice, so it is in no routing table of the machine's own, and its guests are reached only from
within the gateway's namespace. ssh itself stays outside, with the user's own rights and files; a helper in the namespace makes
the connection and hands it over (`through.py`). Entering takes root: for others by sudo.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilonova.cli.client import ApiError, Client
from kilonova.domain.hostnet import bridge_name

_SPACES = Path("/run/netns")
_LIMIT_S = 20.0


def space_of(client: Client, server: Mapping[str, Any], address: str) -> str | None:
    """The namespace on this machine from which the address of a server is reached; None when there is none."""
    try:
        ports = client.get("network", "/ports", device_id=server["id"])["ports"]
    except ApiError:
        return None
    # Whoever has a port may write a server's id on it; as its owner only the cloud writes a server.
    bound = [port for port in ports if port["device_owner"].startswith("compute:")]
    on = (port["network_id"] for port in bound if address in [one["ip_address"] for one in port["fixed_ips"]])
    return next((path.name for one in on for path in sorted(_SPACES.glob(f"{bridge_name(one)}-*"))), None)


def ssh_options(space: str | None) -> tuple[str, ...]:
    """What ssh is to be told to go that way."""
    if space is None:
        return ()
    command = f"{shlex.join(_helper(space))} %h %p"
    return ("-o", "ProxyUseFdpass=yes", "-o", f"ProxyCommand={command}")


def connected(space: str | None, address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to a guest. Raises OSError."""
    if space is None:
        return socket.create_connection((address, port), timeout=timeout_s)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [*_helper(space), address, str(port)]
        done = subprocess.run(words, stdout=theirs.fileno(), stderr=subprocess.PIPE, timeout=_LIMIT_S, check=False)
        if done.returncode != 0:
            raise ConnectionError(done.stderr.decode(errors="replace").strip())
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    connection = socket.socket(fileno=descriptors[0])
    connection.settimeout(timeout_s)
    return connection


def _helper(space: str) -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    return [*as_root, "ip", "netns", "exec", space, sys.executable, "-P", str(Path(__file__).with_name("through.py"))]
