"""The simulator by the command line: files in, a report out; no cloud is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kilonova.cli.main import cli

FLEET = """
[[hosts]]
name = "old"
count = 6
vcpus = 16
ram_mib = 65536
disk_gib = 500
cpu_ratio = 1.0
ram_ratio = 1.0
[[hosts]]
name = "fast"
count = 2
vcpus = 32
ram_mib = 131072
disk_gib = 1000
cpu_ratio = 1.0
ram_ratio = 1.0
traits = ["CUSTOM_FAST"]
"""
FLAVORS = "name,vcpus,ram_mib,disk_gib,weight,traits\nsmall,2,4096,20,3,\nfast,8,32768,40,1,CUSTOM_FAST\n"


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["simulate", *args])


def facts(*args: str) -> Any:
    done = run(*args, "-o", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def timeless(report: Any) -> Any:
    return {**report, "policies": [{**one, "decisions": None} for one in report["policies"]]}


@pytest.fixture
def described(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "flavors.csv").write_text(FLAVORS)
    return "--fleet", str(tmp_path / "fleet.toml"), "--flavors", str(tmp_path / "flavors.csv"), "--arrivals", "400"


def test_four_policies_are_compared_side_by_side(described: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*described, "--load", "1.2", "--html", str(tmp_path / "report.html"))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["POLICY", "first-fit", "best-fit", "spread", "ours"]
    assert "ours: 400 of 400 arrivals" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert all(f'data-policy="{name}"' in page for name in ("first-fit", "best-fit", "spread", "ours"))


def test_the_report_says_what_failed_and_why(described: tuple[str, ...]) -> None:
    report = facts(*described, "--load", "1.5", "--policy", "ours")
    (ours,) = report["policies"]
    assert (report["hosts"], report["room"]["vcpus"], report["arrivals"]) == (8, 160, 400)
    assert ours["placed"] + ours["failed"] == 400
    assert ours["failed"] > 0
    assert set(ours["failed_by_flavor"]) <= {"small", "fast"}
    assert {one["filter"] for one in ours["reasons"]} <= {
        "TraitsFilter",
        "ResourceFilter",
        "ServerGroupAntiAffinityFilter",
    }
    assert ours["first_failures"][0]["explanation"].startswith("No valid host was found. 8 hosts asked;")
    assert [flavor["name"] for flavor in report["flavors"]] == ["fast", "small"]
    assert len(ours["samples"]) == 200


def test_a_seed_gives_the_same_report_and_so_does_its_trace_written_and_read(
    described: tuple[str, ...], tmp_path: Path
) -> None:
    trace = str(tmp_path / "trace.csv")
    first = facts(*described, "--seed", "5", "--policy", "packing", "--write-trace", trace)
    assert timeless(facts(*described, "--seed", "5", "--policy", "packing")) == timeless(first)
    assert timeless(facts(*described[:2], "--seed", "5", "--trace", trace, "--policy", "packing")) == timeless(first)
    assert timeless(facts(*described, "--seed", "6", "--policy", "packing")) != timeless(first)


def test_an_azure_trace_is_run_on_hosts_of_its_machine(tmp_path: Path) -> None:
    (tmp_path / "vm.csv").write_text(
        "vmId,tenantId,vmTypeId,priority,starttime,endtime\n1,1,7,0,-1,0.5\n2,1,7,1,0.1,\n3,2,8,0,0.2,0.3\n"
    )
    (tmp_path / "vmType.csv").write_text(
        "id,vmTypeId,machineId,core,memory,hdd,ssd,nic\n1,7,3,0.5,0.25,,0.1,0.1\n2,8,4,0.5,0.5,,0.1,0.1\n"
    )
    done = run("--azure", str(tmp_path), "--hosts", "2", "--policy", "first-fit", "-o", "json")
    assert done.exit_code == 0, done.output
    assert "Requests for machine 3: 2; 1 run only on others." in done.stderr
    assert json.loads(done.stdout)["flavors"] == [
        {"name": "type-7", "vcpus": 16, "ram_mib": 32768, "disk_gib": 200, "arrivals": 2, "zone": None, "traits": []}
    ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--policy", "worst"), "There is no policy 'worst'"),
        (("--trace", "absent.csv"), "absent.csv cannot be read"),
        (("--trace", "absent.csv", "--load", "0.5"), "--trace and --load do not go together"),
        (("--trace", "absent.csv", "--azure", "absent"), "--trace and --azure do not go together"),
        (("--fleet", "absent.toml"), "absent.toml cannot be read"),
        (("--load", "0"), "0.0 is not in the range x>0"),
        (("--hosts", "1", "--arrivals", "1", "--html", "no/such/folder.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_is_said_and_is_no_traceback(args: tuple[str, ...], said: str) -> None:
    done = run(*args)
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert done.stdout == ""
