"""What people write: fleets, flavors and traces as files; and what is made up."""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from kilonova.domain.errors import Rejected
from kilonova.domain.server_group import GroupPolicy
from kilonova.simulation.fleet import HostGroup, default_fleet, hosts_of, read_fleet
from kilonova.simulation.generate import (
    FLAVORS,
    FlavorMix,
    Lifetimes,
    Workload,
    generate,
    mean_lifetime_s,
    read_flavors,
)
from kilonova.simulation.trace import Arrival, read_trace, write_trace

FLEET = default_fleet(200)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_fleet_is_the_same_in_toml_and_csv(tmp_path: Path) -> None:
    toml = written(tmp_path, "fleet.toml", """
        [[hosts]]
        name = "new"
        count = 2
        vcpus = 64
        ram_mib = 262144
        disk_gib = 4000
        zone = "east"
        traits = ["HW_CPU_X86_AVX2", "CUSTOM_FAST"]
        cpu_ratio = 4.0
        [[hosts]]
        vcpus = 16
        ram_mib = 65536
        disk_gib = 500
    """)  # fmt: skip
    sheet = written(
        tmp_path, "fleet.csv",
        "name,count,vcpus,ram_mib,disk_gib,zone,traits,cpu_ratio\n"
        "new,2,64,262144,4000,east,HW_CPU_X86_AVX2 CUSTOM_FAST,4\n"
        ",,16,65536,500,,,\n",
    )  # fmt: skip
    assert read_fleet(toml) == read_fleet(sheet)
    made = hosts_of(read_fleet(toml))
    assert [host.name for host in made] == ["new-1", "new-2", "host-1"]
    assert [host.number for host in made] == [1, 2, 3]
    assert (made[0].zone, made[0].facts.traits, made[0].cpu_ratio) == ("east", ("HW_CPU_X86_AVX2", "CUSTOM_FAST"), 4.0)
    assert (made[2].zone, made[2].cpu_ratio, made[2].ram_ratio) == ("nova", 16.0, 1.5)


def test_a_trace_that_is_written_reads_the_same(tmp_path: Path) -> None:
    arrivals = [
        Arrival(at_s=0.5, vcpus=1, ram_mib=512, disk_gib=0),
        Arrival(
            at_s=2, vcpus=2, ram_mib=2048, disk_gib=20, lifetime_s=90.25, server="s", flavor="f", project="p",
            zone="east", group="g", policy=GroupPolicy.SOFT_AFFINITY, traits=("A", "B"),
        ),
    ]  # fmt: skip
    write_trace(tmp_path / "trace.csv", arrivals)
    assert read_trace(tmp_path / "trace.csv") == arrivals


def test_a_trace_is_put_in_order_and_cut_to_its_first_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "at_s,vcpus,ram_mib,disk_gib\n9,1,1,1\n3,2,1,1\n1,3,1,1\n")
    assert [one.vcpus for one in read_trace(path)] == [3, 2, 1]
    assert [one.vcpus for one in read_trace(path, limit=2)] == [2, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at_s,vcpus,ram_mib,disk_gib\n1,x,1,1\n", "line 2: Expected `int`, got `str` - at `$.vcpus`"),
        ("at_s,vcpus,ram_mib,disk_gib\n1,1,1,1\n1,-1,1,1\n", "line 3: Expected `int` >= 0"),
        ("at_s,vcpus,ram_mib,disk_gib\n1,1,1\n", "line 2 does not have as many cells"),
        ("at_s,vcpus,ram_mib,disk_gib\n1,1,1,1,1\n", "line 2 does not have as many cells"),
        ("at_s,vcpus,ram_mib\n1,1,1\n", "line 2: Object missing required field `disk_gib`"),
        ("at_s,cpus\n", "has a column 'cpus'"),
        ("at_s,vcpus,ram_mib,disk_gib\n", "has no arrivals"),
        ("", "has no arrivals"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Rejected) as refused:
        read_trace(written(tmp_path, "t.csv", text))
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fleet.toml", "[[hosts]]\nvcpus = 0\nram_mib = 1\ndisk_gib = 1"),
        ("fleet.toml", "[[hosts]]\nvcpus = 1\nram_mib = 1\ndisk_gib = 1\ncolour = 'red'"),
        ("fleet.toml", "[[hosts"),
        ("fleet.toml", "hosts = []"),
        ("fleet.csv", "vcpus,ram_mib,disk_gib\n"),
    ],
)
def test_what_is_no_fleet_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(Rejected, match=name):
        read_fleet(written(tmp_path, name, text))


def test_a_file_that_is_not_there_and_names_given_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_fleet(tmp_path / "none.toml")
    alike = HostGroup(vcpus=1, ram_mib=1, disk_gib=1)
    with pytest.raises(Rejected, match="same name"):
        hosts_of([alike, alike])


def test_a_mix_of_flavors_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "f.csv", "name,vcpus,ram_mib,disk_gib,weight,traits\nfast,2,4096,20,3,CUSTOM_FAST\n")
    assert read_flavors(path) == (
        FlavorMix(name="fast", vcpus=2, ram_mib=4096, disk_gib=20, weight=3.0, traits=("CUSTOM_FAST",)),
    )
    with pytest.raises(Rejected, match="names no flavors"):
        read_flavors(written(tmp_path, "e.csv", "name,vcpus,ram_mib,disk_gib\n"))


# --- made up ----------------------------------------------------------------------------------------------------------


def test_the_same_seed_makes_up_the_same() -> None:
    assert generate(Workload(arrivals=200), FLEET, 7) == generate(Workload(arrivals=200), FLEET, 7)
    assert generate(Workload(arrivals=200), FLEET, 7) != generate(Workload(arrivals=200), FLEET, 8)


def test_the_mean_lifetime_follows_from_the_load_by_hand() -> None:
    # 2 hosts of 10 vCPUs at ratio 2 and 100 GiB: 40 vCPUs. One 4-vCPU server an hour: 9 at a time are 36 vCPUs, 90%.
    fleet = [HostGroup(count=2, vcpus=10, ram_mib=102400, disk_gib=1000, cpu_ratio=2.0, ram_ratio=1.0)]
    flavor = FlavorMix(name="f", vcpus=4, ram_mib=1024, disk_gib=1)
    assert mean_lifetime_s(Workload(arrivals=24, hours=24, flavors=(flavor,)), fleet) == pytest.approx(9 * 3600)
    assert mean_lifetime_s(Workload(mean_lifetime_h=2), fleet) == 7200
    nothing = msgspec.structs.replace(flavor, vcpus=0, ram_mib=0, disk_gib=0)
    with pytest.raises(Rejected, match="no size"):
        mean_lifetime_s(Workload(flavors=(nothing,)), fleet)


@pytest.mark.parametrize("lifetimes", list(Lifetimes))
def test_what_is_made_up_has_the_moments_it_should(lifetimes: Lifetimes) -> None:
    workload = Workload(arrivals=20000, hours=240, lifetimes=lifetimes, mean_lifetime_h=5, wave=0, grouped=0.2)
    made = generate(workload, FLEET, 1)
    lives = [one.lifetime_s or 0.0 for one in made]
    assert statistics.mean(lives) == pytest.approx(5 * 3600, rel=0.05)
    assert statistics.median(lives) == pytest.approx(
        5 * 3600 * (0.6065 if lifetimes is Lifetimes.LOGNORMAL else 0.6931), rel=0.05
    )
    gaps = [after.at_s - before.at_s for before, after in pairwise(made)]
    assert statistics.mean(gaps) == pytest.approx(240 * 3600 / 20000, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)  # as a Poisson process has it
    assert sum(one.group != "" for one in made) / 20000 == pytest.approx(0.2, rel=0.1)
    total = sum(flavor.weight for flavor in FLAVORS)
    for flavor in FLAVORS:
        assert sum(one.flavor == flavor.name for one in made) / 20000 == pytest.approx(flavor.weight / total, rel=0.15)


def test_the_wave_brings_more_in_the_first_half_of_a_day() -> None:
    made = generate(Workload(arrivals=10000, hours=240, wave=0.8), FLEET, 1)
    early = sum(one.at_s % 86400 < 43200 for one in made) / 10000
    assert early == pytest.approx(0.5 + 0.8 / 3.14159, rel=0.05)  # the mean of 1 + 0.8 sin over half a day


def test_groups_are_of_three() -> None:
    sizes: dict[str, int] = {}
    for one in generate(Workload(arrivals=999, grouped=1.0), FLEET, 1):
        sizes[one.group] = sizes.get(one.group, 0) + 1
    assert set(sizes.values()) == {3}
