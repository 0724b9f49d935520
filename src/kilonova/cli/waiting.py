"""Waits for servers, each within a bound: until one is active, has an address, answers ssh, or is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from kilonova.cli.client import ApiError, Client
from kilonova.cli.errors import NO_CAPACITY, TIMED_OUT, CliError
from kilonova.cli.facts import addresses, has_no_capacity, stands
from kilonova.cli.talk import Progress
from kilonova.cli.ways import connected, space_of

GOALS = ("active", "ip", "ssh", "deleted")
_SHORTEST_S, _LONGEST_S = 0.1, 1.0
_BANNER_WITHIN_S = 3.0
Server = dict[str, Any]


def wait_for(client: Client, ids: Iterable[str], goal: str, timeout_s: float, show: Progress) -> list[Server]:
    """
    Wait until all of these servers are there; gives them as they were then (without those that are gone, for `deleted`).

    Raises CliError: timed out (4), in ERROR (1, or 5 for want of capacity), gone meanwhile (3).
    """
    deadline = time.monotonic() + timeout_s
    return [server for one in ids if (server := _wait_for_one(client, one, goal, deadline, show)) is not None]


def _wait_for_one(client: Client, server_id: str, goal: str, deadline: float, show: Progress) -> Server | None:
    is_there, pause = _GOALS[goal], _SHORTEST_S
    while True:
        server = _look(client, server_id)
        if server is None:
            if goal == "deleted":
                return None
            raise CliError(f"Server {server_id} is gone.", next_step="kilonova ps", exit_code=3)
        if server["status"] == "ERROR" and goal != "deleted":
            raise failed(server)
        show(stands(server, _stage(client, server)))
        if is_there(client, server):
            return server
        if time.monotonic() > deadline:
            raise CliError(
                f"Server {server['name']} is {server['status']}, and not yet {_WORDS[goal]}.",
                next_step=f"kilonova wait {server_id} --for {goal}", exit_code=TIMED_OUT,
            )  # fmt: skip
        time.sleep(pause)
        pause = min(_LONGEST_S, pause * 1.3)


def failed(server: Server) -> CliError:
    """Why a server is in ERROR, as an error to raise."""
    message = (server.get("fault") or {}).get("message") or "the cloud does not say why"
    if has_no_capacity(server):
        return CliError(
            f"Server {server['name']} failed: {message}",
            next_step=f"a smaller --flavor, or make room: kilonova explain {server['id']}   # what was short, and where",
            exit_code=NO_CAPACITY,
        )
    return CliError(f"Server {server['name']} failed: {message}", next_step=f"kilonova show {server['id']}")


def _look(client: Client, server_id: str) -> Server | None:
    try:
        server: Server = client.get("compute", f"/servers/{server_id}")["server"]
    except ApiError as refused:
        if refused.status == 404:
            return None
        raise
    return server


def _stage(client: Client, server: Server) -> str:
    """The step that its newest action is at; empty when nothing is under way, or when we may not know."""
    if not server.get("OS-EXT-STS:task_state"):
        return ""
    path = f"/servers/{server['id']}/os-instance-actions"
    try:
        actions = client.get("compute", path)["instanceActions"]
        newest = client.get("compute", f"{path}/{actions[0]['request_id']}")["instanceAction"] if actions else {}
    except ApiError:
        return ""
    events = newest.get("events") or []
    return str(max(events, key=lambda event: str(event["start_time"]))["event"]) if events else ""


def _speaks_ssh(client: Client, server: Server) -> bool:
    """Whether one of its addresses greets as an ssh server: an open port alone may be a guest half-way up."""
    for address in addresses(server):
        try:
            with connected(space_of(client, server, address), address, 22, _BANNER_WITHIN_S) as connection:
                if connection.recv(4) == b"SSH-":
                    return True
        except OSError:
            continue
    return False


def _is_active(_: Client, server: Server) -> bool:
    return bool(server["status"] == "ACTIVE")


_GOALS: dict[str, Callable[[Client, Server], bool]] = {
    "active": _is_active,
    "ip": lambda _, server: bool(addresses(server)),
    "ssh": lambda client, server: _is_active(client, server) and _speaks_ssh(client, server),
    "deleted": lambda *_: False,
}
_WORDS = {"active": "active", "ip": "given an address", "ssh": "answering ssh", "deleted": "gone"}
