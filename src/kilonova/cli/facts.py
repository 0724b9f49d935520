"""A server as the command line shows it: flat, with stable names, and when there is something to say about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilonova.domain.addresses import ip_address

Server = Mapping[str, Any]


def server_facts(server: Server) -> dict[str, Any]:
    """What `show` prints, and `ps` a part of."""
    fault = server.get("fault") or {}
    return {
        "id": server["id"],
        "name": server["name"],
        "status": server["status"],
        "task": server.get("OS-EXT-STS:task_state"),
        "addresses": addresses(server),
        "flavor": (server.get("flavor") or {}).get("original_name"),
        "image": image_id(server),
        "key_name": server.get("key_name"),
        "security_groups": sorted({group["name"] for group in server.get("security_groups") or ()}),
        "zone": server.get("OS-EXT-AZ:availability_zone") or None,
        "host": server.get("OS-EXT-SRV-ATTR:host"),
        "project_id": server["tenant_id"],
        "metadata": dict(server.get("metadata") or {}),
        "created": server["created"],
        "fault": fault.get("message"),
    }


def addresses(server: Server) -> list[str]:
    """All its addresses, IPv4 first."""
    held = [one for network in (server.get("addresses") or {}).values() for one in network]
    return [str(one["addr"]) for one in sorted(held, key=lambda one: int(one["version"]))]


def way_in(server: Server) -> str | None:
    """The address to connect to: the first that is one, for it goes into a command."""
    return next((one for one in addresses(server) if _is_address(one)), None)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def image_id(server: Server) -> str | None:
    """The image it was booted from; None for a server without one."""
    image = server.get("image")
    return image.get("id") if isinstance(image, Mapping) else None


def stands(server: Server, stage: str = "") -> str:
    """Where it is on its way, in a few words: status, task, stage, percent."""
    task = server.get("OS-EXT-STS:task_state")
    percent = server.get("progress")
    words = [server["status"], task or "", stage, f"{percent}%" if percent and server["status"] == "BUILD" else ""]
    return f"{server['name']}: {', '.join(filter(None, words))}"


def has_no_capacity(server: Server) -> bool:
    """Whether it failed because no host could take it."""
    return "No valid host" in str((server.get("fault") or {}).get("message", ""))
