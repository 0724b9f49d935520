"""
The engines of a lab: a PostgreSQL and a RabbitMQ, in the outer machine, as children of this one process.

Run there as `python -m lab.engines FOLDER`. It says in FOLDER/engines.json where they are once both answer; SIGUSR1 and SIGUSR2
restart PostgreSQL and RabbitMQ the hard way; and it stays until it is killed, with the lab.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
from pathlib import Path

from tests.brokers import Broker
from tests.databases import ACCOUNT, Cluster, postgres_programs

NOTE = "engines.json"
VHOST = "lab"


def main() -> None:
    folder = Path(sys.argv[1])
    asked = {signal.SIGUSR1, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    cluster, broker = _cluster(folder / "postgresql"), _broker(folder / "rabbitmq")
    where = {
        "database": cluster.create("kilonova"),
        "bus": broker.url(VHOST),
        "management": broker.management_url,
        "port": broker.port,
    }
    part = folder / f"{NOTE}.part"
    part.write_text(json.dumps(where))
    part.rename(folder / NOTE)
    while True:
        if signal.sigwait(asked) == signal.SIGUSR1:
            cluster.go_away()
            cluster.come_back()
        else:
            broker.kill()
            broker.start()


def _cluster(folder: Path) -> Cluster:
    programs = postgres_programs()
    assert programs is not None, "PostgreSQL is not installed: make system-packages"
    account = pwd.getpwnam(ACCOUNT)
    folder.mkdir()
    os.chown(folder, account.pw_uid, account.pw_gid)
    return Cluster(programs, folder)


def _broker(folder: Path) -> Broker:
    folder.mkdir()
    broker = Broker(folder, listen="0.0.0.0")  # noqa: S104 - on every address of the lab's own network
    broker.start()
    broker.api("PUT", f"vhosts/{VHOST}")
    broker.grant("guest", VHOST)
    return broker


if __name__ == "__main__":
    main()
