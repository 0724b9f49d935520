"""
A fleet on this machine: processes of every role, on a PostgreSQL and a RabbitMQ of the test's own.

    with fleet.Engines() as engines, engines.fleet(folder) as made:
        made.start("api", "conductor", "scheduler", "agent", KILONOVA_AGENT_HOSTS="20")
        made.wait_ready()
        made.nodes["conductor-1"].kill()

Each process is ended by its own pid, its log is a file of its name in the fleet's folder.
"""

from __future__ import annotations

from tests.fleet.client import Client, Load
from tests.fleet.node import Node
from tests.fleet.whole import Engines, Fleet, password_in

__all__ = ["Client", "Engines", "Fleet", "Load", "Node", "password_in"]
