"""
Lets a conductor begin only when no other of its name is at work.

Of the control plane's processes it alone holds something under its name: the leases of sagas. Two schedulers of one name share
a line of os-services and harm nothing, an API's name is used for nothing; so neither is kept from starting.
"""

from __future__ import annotations

import socket
from dataclasses import replace

from kilonova.bootstrap import fleet
from kilonova.config.fleet import FleetConfig
from kilonova.daemon.life import Daemon
from kilonova.store.tenure import Tenure


def make_conductor(config: FleetConfig) -> Daemon:
    """`kilonova conductor`, which has its name to itself from before its first role starts until its last has stopped."""
    daemon = fleet.make_conductor(config)
    # A pool of its own: neither must have to wait for the other's connections.
    tenure = Tenure(fleet.make_database(config.database), "conductor", config.conductor.name or socket.gethostname())
    tenure.start()
    daemon.health.watch("name", tenure.problem)

    def close() -> None:
        daemon.close()
        tenure.close()

    return replace(daemon, close=close)
