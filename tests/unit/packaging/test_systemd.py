"""The units: what systemd itself says of them, and what we hold about all of them."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from kilonova.cli.main import cli
from kilonova.config.fleet import SchedulerSection
from kilonova.config.sections import AgentSection, ApiSection, ConductorSection
from tests.facts import REPOSITORY

UNITS = sorted((REPOSITORY / "packaging" / "systemd").glob("*.service"))
SECTIONS = {
    "api": ApiSection(), "conductor": ConductorSection(), "scheduler": SchedulerSection(), "agent": AgentSection(),
}  # fmt: skip
CONTROL_PLANE = ("api", "conductor", "scheduler")


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(unit.read_text())
    return parser


def kind(unit: Path) -> str:
    return unit.stem.removeprefix("kilonova-")


def test_there_is_one_for_every_process() -> None:
    assert {kind(unit) for unit in UNITS} == {*CONTROL_PLANE, "agent"}


@pytest.mark.parametrize("unit", UNITS, ids=kind)
def test_it_runs_a_command_that_there_is_and_comes_back(unit: Path) -> None:
    service = read(unit)["Service"]
    words = service["ExecStart"].split()
    assert words[:2] == ["/usr/bin/kilonova", kind(unit)]
    assert cli.commands is not None
    assert kind(unit) in cli.list_commands(None)  # type: ignore[attr-defined]
    assert service["Restart"] == "always"
    assert service["Type"] == "notify"
    assert service["NoNewPrivileges"] == "yes"
    assert int(service["TimeoutStopSec"]) > SECTIONS[kind(unit)].stop_s  # it says itself what hung


@pytest.mark.parametrize("name", CONTROL_PLANE)
def test_the_control_plane_may_do_nothing_to_its_machine(name: str) -> None:
    service = read(REPOSITORY / "packaging" / "systemd" / f"kilonova-{name}.service")["Service"]
    assert service["User"] == "kilonova"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=kind)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    # The command need not be installed where the tests run.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/usr/bin/kilonova", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_no_unit_s_folder_is_another_s() -> None:
    """All of a unit's folder is given to its user, at every start: a host's disks must not become the API's."""
    folders = [folder for unit in UNITS for folder in read(unit)["Service"].get("StateDirectory", "").split()]
    for one in folders:
        assert [other for other in folders if other == one or other.startswith(f"{one}/")] == [one]


@pytest.mark.parametrize("unit", UNITS, ids=kind)
def test_what_it_writes_is_its_user_s_alone(unit: Path) -> None:
    assert read(unit)["Service"]["UMask"] == "0077"
