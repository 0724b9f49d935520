from __future__ import annotations

import base64
from pathlib import Path

import pytest

from kilonova.cli import boot_options as parse
from kilonova.cli.boot import join_config_drive, parsed
from kilonova.cli.boot_options import Nic, WrongUsage

NOTHING = dict.fromkeys(
    ("image", "flavor", "num_instances", "min_count", "max_count", "key_name", "user_data", "availability_zone",
     "security_groups", "config_drive")
) | dict.fromkeys(("image_with", "meta", "files", "nics", "hints"), ())  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("net-id=n1", Nic(net_id="n1")),
        ("net-name=blue,v4-fixed-ip=10.0.0.5", Nic(net_name="blue", fixed_ip="10.0.0.5")),
        ("net-id=n1,v6-fixed-ip=fd00::5,tag=front", Nic(net_id="n1", fixed_ip="fd00::5", tag="front")),
        ("port-id=p1", Nic(port_id="p1")),
        ("auto", "auto"),
        ("none", "none"),
    ],
)
def test_a_nic_is_a_network_or_a_port(text: str, wanted: Nic | str) -> None:
    assert parse.nic(text) == wanted


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("n1", "'n1' is wrong"),
        ("net-id=", "'net-id=' is wrong"),
        ("net=n1", "'net=n1' is wrong"),
        ("net-id=n1,net-id=n2", "'net-id=n2' is wrong"),
        ("v4-fixed-ip=10.0.0.5", "just one of net-id, net-name and port-id"),
        ("net-id=n1,port-id=p1", "just one of"),
        ("net-id=n1,v4-fixed-ip=10.0.0", "not an IPv4 address"),
        ("net-id=n1,v4-fixed-ip=fd00::1", "not an IPv4 address"),
        ("port-id=p1,v4-fixed-ip=10.0.0.5", "a port has its addresses"),
        ("net-id=n1,v4-fixed-ip=10.0.0.5,v6-fixed-ip=fd00::1", "one address"),
    ],
)
def test_a_nic_that_cannot_be_meant_is_refused_by_what_is_wrong(text: str, named: str) -> None:
    with pytest.raises(WrongUsage, match=named):
        parse.nic(text)


def test_nics_default_to_auto_and_words_stand_alone() -> None:
    assert parse.nics([]) == "auto"
    assert parse.nics(["none"]) == "none"
    assert parse.nics(["net-id=a", "port-id=b"]) == [Nic(net_id="a"), Nic(port_id="b")]
    with pytest.raises(WrongUsage, match="cannot be combined"):
        parse.nics(["auto", "net-id=a"])


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ((None, None, None), (1, 1)),
        ((None, 2, None), (2, 2)),
        ((None, None, 3), (1, 3)),
        ((None, 2, 3), (2, 3)),
        ((4, None, None), (1, 4)),
        ((4, 2, None), (2, 4)),
    ],
)
def test_counts(said: tuple[int | None, int | None, int | None], wanted: tuple[int, int]) -> None:
    assert parse.counts(*said) == wanted


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ((1, None, None), "--num-instances should be more than 1"),
        ((2, None, 2), "only one of them"),
        ((None, 0, None), "--min-count"),
        ((None, None, 0), "--max-count"),
        ((None, 3, 2), r"--min-count \(3\) should be no more than --max-count \(2\)"),
    ],
)
def test_counts_that_cannot_be_meant(said: tuple[int | None, int | None, int | None], named: str) -> None:
    with pytest.raises(WrongUsage, match=named):
        parse.counts(*said)


def test_a_hint_said_twice_is_a_list() -> None:
    assert parse.hints(["a=1", "b=2", "a=3"]) == {"a": ["1", "3"], "b": "2"}


def test_a_pair_is_parted_at_its_first_sign() -> None:
    assert parse.pairs("--meta", ["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for wrong in ("a", "=b"):
        with pytest.raises(WrongUsage, match="KEY=VALUE"):
            parse.pairs("--meta", [wrong])


def test_files_are_read_and_at_most_five(tmp_path: Path) -> None:
    source = tmp_path / "motd"
    source.write_bytes(b"hello\xff")
    sent = parse.files([f"/etc/motd={source}"])
    assert [(one["path"], base64.b64decode(one["contents"])) for one in sent] == [("/etc/motd", b"hello\xff")]
    assert len(parse.files([f"/{n}={source}" for n in range(5)])) == 5
    with pytest.raises(WrongUsage, match="said 6 times; a server takes 5"):
        parse.files([f"/{n}={source}" for n in range(6)])
    with pytest.raises(WrongUsage, match="cannot be read: No such file"):
        parse.files([f"/a={tmp_path / 'none'}"])
    with pytest.raises(WrongUsage, match="DST-PATH=SRC-PATH"):
        parse.files(["/a"])


@pytest.mark.parametrize(
    ("args", "joined"),
    [
        (["--config-drive", "web1"], ["--config-drive=true", "web1"]),
        (["--config-drive", "true", "web1"], ["--config-drive=true", "web1"]),
        (["--config-drive", "False", "web1"], ["--config-drive=False", "web1"]),
        (["web1", "--config-drive"], ["web1", "--config-drive=true"]),
        (["--config-drive", "--poll", "x"], ["--config-drive=true", "--poll", "x"]),
        (["--config-drive=1"], ["--config-drive=1"]),
    ],
)
def test_the_config_drive_may_have_a_value(args: list[str], joined: list[str]) -> None:
    assert join_config_drive(args) == joined


def test_a_bare_boot_asks_for_a_name_and_a_network_only() -> None:
    assert parsed("web", NOTHING) == {"server": {"name": "web", "networks": "auto"}}


def test_everything_said_is_in_the_body(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh")
    said = NOTHING | {
        "min_count": 2, "max_count": 3, "meta": ("a=1",), "files": (f"/x={script}",), "user_data": str(script),
        "availability_zone": "nova", "security_groups": "web, ssh,web", "nics": ("net-id=n",), "hints": ("group=g",),
        "config_drive": "true",
    }  # fmt: skip
    text = base64.b64encode(b"#!/bin/sh").decode()
    assert parsed("web", said) == {
        "server": {
            "name": "web",
            "networks": [Nic(net_id="n")],
            "min_count": 2,
            "max_count": 3,
            "return_reservation_id": True,
            "metadata": {"a": "1"},
            "personality": [{"path": "/x", "contents": text}],
            "user_data": text,
            "availability_zone": "nova",
            "security_groups": [{"name": "web"}, {"name": "ssh"}],
            "config_drive": True,
        },
        "os:scheduler_hints": {"group": "g"},
    }


def test_an_image_is_named_or_matched_not_both() -> None:
    with pytest.raises(WrongUsage, match="only one of them"):
        parsed("web", NOTHING | {"image": "a", "image_with": ("b=c",)})
