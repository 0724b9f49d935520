"""What an agent's process is made of, and above all what it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kilonova.agent.credential import Membership
from kilonova.agent.images.folder import FolderImages
from kilonova.bootstrap.host import host_plan, make_agent
from kilonova.config.sections import AgentConfig, AgentSection
from kilonova.domain.errors import Missing, Rejected

IMAGE = "11111111-2222-4333-8444-555555555555"
_LOOK = """
import sys
import kilonova.bootstrap.host, kilonova.cli.fleet, kilonova.daemon.life, kilonova.config.load
import kilonova.agent.hypervisor.sim.factory
bad = ("kilonova.store", "kilonova.conductor", "kilonova.scheduler", "kilonova.identity", "sqlalchemy", "psycopg")
print([name for name in sys.modules if name.startswith(bad)])
"""


def test_it_loads_nothing_that_could_read_the_database() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_simulated_hosts_are_numbered_and_a_real_one_has_its_own_name() -> None:
    simulated = AgentConfig(agent=AgentSection(hypervisor="sim", hosts=3, name="rack"))
    assert host_plan(simulated, None).names == ("rack-1", "rack-2", "rack-3")
    real = AgentConfig(agent=AgentSection(name="node7", hosts=3))
    assert host_plan(real, None).names == ("node7",)
    joined = Membership(name="joined", api_url="http://api", secret="s", bus_url="amqp://bus")
    assert host_plan(simulated, joined).names == ("joined",)


def test_a_host_without_a_credential_or_a_bus_is_told_how_to_join(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="has not joined") as raised:
        make_agent(AgentConfig(agent=AgentSection(credential_dir=str(tmp_path))))
    assert "kilonova host join" in raised.value.next_step


def test_bits_come_from_the_shared_folder_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / IMAGE).write_bytes(b"x" * (1 << 20) + b"end")
    (tmp_path / "secret").write_bytes(b"no image")
    images = FolderImages(tmp_path)
    assert b"".join(images.read(IMAGE)) == b"x" * (1 << 20) + b"end"
    for name in ("11111111-2222-4333-8444-000000000000", "../secret", "secret", ""):
        with pytest.raises(Missing):
            list(images.read(name))
