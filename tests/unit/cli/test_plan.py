from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kilonova.cli import plan
from kilonova.cli.errors import CliError
from kilonova.cli.places import command_for, default_data_dir
from kilonova.settings import CloudSettings

HERE = Path("/somewhere")
SIM = CloudSettings(data_dir=HERE, hypervisor="sim", sim_hosts=3, port=9000)
REAL = CloudSettings(data_dir=HERE)


def test_a_new_cloud_is_real_unless_simulated() -> None:
    assert plan.new_settings(None, {}, HERE).hypervisor == "libvirt"
    made = plan.new_settings(None, {"hypervisor": "sim", "sim_hosts": 5, "sim_pace": 0.0}, HERE)
    assert (made.hypervisor, made.sim_hosts, made.sim_pace, made.data_dir) == ("sim", 5, 0.0, HERE)


def test_a_bare_up_brings_the_same_cloud_up_again() -> None:
    assert plan.new_settings(SIM, {}, HERE) == SIM


def test_what_is_asked_takes_the_place_of_what_was_kept() -> None:
    changed = plan.new_settings(SIM, {"port": 9001, "sim_hosts": 7}, HERE)
    assert (changed.port, changed.sim_hosts, changed.hypervisor) == (9001, 7, "sim")


def test_a_data_directory_that_moved_is_where_it_is() -> None:
    assert plan.new_settings(SIM, {}, Path("/moved")).data_dir == Path("/moved")


@pytest.mark.parametrize(
    ("existing", "asked", "named"),
    [
        (REAL, {"hypervisor": "sim"}, "has libvirt hosts"),
        (None, {"sim_hosts": 3}, "--hosts is for simulated"),
        (REAL, {"sim_pace": 1.0}, "--pace is for simulated"),
        (SIM, {"accelerator": "kvm"}, "--accelerator is for real"),
    ],
)
def test_what_cannot_be_is_refused(existing: CloudSettings | None, asked: dict[str, Any], named: str) -> None:
    with pytest.raises(CliError, match=named):
        plan.new_settings(existing, asked, HERE)


def test_differences_are_told_by_option() -> None:
    assert plan.differences(SIM, {"hypervisor": "sim", "sim_hosts": 3}) == []
    assert plan.differences(SIM, {"sim_hosts": 4, "port": 9000}) == ["--hosts is 3, you asked for 4"]
    assert plan.command_line({"hypervisor": "sim", "sim_hosts": 4}) == "kilonova up --sim --hosts 4"


def test_placement_and_ratios_are_kept_where_the_scheduler_and_hosts_read_them() -> None:
    packed = plan.new_settings(SIM, {"placement": "packing", "port": 9001}, HERE)
    assert (packed.scheduler.profile, packed.port, packed.sim_hosts) == ("packing", 9001, 3)
    packed = plan.new_settings(packed, {"cpu_ratio": 4.0}, HERE)
    assert (packed.scheduler.profile, packed.host_defaults.cpu_ratio, packed.host_defaults.ram_ratio) == (
        "packing",
        4.0,
        1.5,
    )
    assert plan.differences(packed, {"placement": "nova"}) == ["--placement is packing, you asked for nova"]


def test_roots_cloud_is_the_machines_and_anothers_his_own() -> None:
    assert default_data_dir({}, 0) == Path("/var/lib/kilonova")
    assert default_data_dir({"XDG_STATE_HOME": "/s"}, 1000) == Path("/s/kilonova")
    assert default_data_dir({}, 1000) == Path.home() / ".local/state/kilonova"


def test_a_command_to_paste_means_the_same_cloud() -> None:
    default = default_data_dir(os.environ, os.geteuid())
    assert command_for(default, "kilonova down --purge") == "kilonova down --purge"
    wanted = "kilonova --data-dir '/a b' down && kilonova --data-dir '/a b' up"
    assert command_for(Path("/a b"), "kilonova down && kilonova up") == wanted
