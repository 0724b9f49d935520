"""Guest data in every version of both trees."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.guestdata.tree import EC2_VERSIONS, OPENSTACK_VERSIONS, lookup, render
from kilonova.domain.machine import GuestData, GuestDevice, GuestLink

LINK = GuestLink(
    port_id="p1",
    network_id="n1",
    mac="fa:16:3e:00:00:01",
    mtu=1500,
    addresses=("10.0.0.5/24",),
    gateway="10.0.0.1",
    dns=("9.9.9.9",),
)
GUEST = GuestData(
    server_id="6a1b8ac6-3f3d-4ca4-8a57-6b2f4e4f5a10",
    instance_name="instance-0000002a",
    number=42,
    name="Web 1",
    hostname="web-1",
    project_id="proj",
    availability_zone="nova",
    launch_index=3,
    reservation_id="r-12345678",
    instance_type="m1.tiny",
    metadata={"role": "web"},
    keys={"mine": "ssh-ed25519 AAAA me"},
    user_data=base64.b64encode(b"#!/bin/sh\n").decode(),
    files={"/etc/motd": base64.b64encode(b"hello\n").decode(), "/etc/two": base64.b64encode(b"2").decode()},
    links=(LINK,),
    security_groups=("default", "web"),
    image_id="img",
    random_seed="c2VlZA==",
    admin_pass="s3cret",
    block_devices={"ami": "vda", "root": "/dev/vda"},
    devices=(GuestDevice(type="nic", bus="pci", address="0000:00:02.0", mac=LINK.mac, tags=("front",)),),
)
SERVICE = render(GUEST, config_drive=False)
DRIVE = render(GUEST, config_drive=True)


def meta_data(version: str) -> dict[str, object]:
    return json.loads(SERVICE[f"openstack/{version}/meta_data.json"])


def test_the_service_lists_what_it_has() -> None:
    assert lookup(SERVICE, "/openstack/") == "\n".join([*OPENSTACK_VERSIONS, "latest", "content"]).encode()
    assert lookup(SERVICE, "") == "\n".join([*EC2_VERSIONS, "latest", "openstack"]).encode()
    assert lookup(SERVICE, "latest") == b"meta-data\nuser-data"
    assert lookup(SERVICE, "/latest/meta-data/public-keys/") == b"0=mine"
    assert lookup(SERVICE, "latest/meta-data/public-keys/0/") == b"openssh-key"
    assert b"placement/" in (lookup(SERVICE, "latest/meta-data") or b"").split(b"\n")
    assert b"hostname" in (lookup(SERVICE, "latest/meta-data") or b"").split(b"\n")
    assert lookup(SERVICE, "latest/meta") is None
    assert lookup(SERVICE, "2030-01-01") is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("instance-id", b"i-0000002a"),
        ("hostname", b"web-1"),
        ("local-ipv4", b"10.0.0.5"),
        ("instance-type", b"m1.tiny"),
        ("security-groups", b"default\nweb"),
        ("public-keys/0/openssh-key", b"ssh-ed25519 AAAA me"),
        ("placement/availability-zone", b"nova"),
        ("block-device-mapping/root", b"/dev/vda"),
        ("ami-launch-index", b"3"),
    ],
)
def test_ec2_values(path: str, expected: bytes) -> None:
    assert lookup(SERVICE, f"2009-04-04/meta-data/{path}") == expected


@pytest.mark.parametrize(
    ("since", "path"),
    [
        ("2007-01-19", "public-hostname"),
        ("2007-08-29", "instance-type"),
        ("2007-12-15", "block-device-mapping/ami"),
        ("2008-02-01", "placement/availability-zone"),
        ("2008-09-01", "instance-action"),
    ],
)
def test_ec2_values_came_with_their_version(since: str, path: str) -> None:
    having = [version for version in EC2_VERSIONS if f"{version}/meta-data/{path}" in SERVICE]
    assert having == [version for version in EC2_VERSIONS if version >= since]


def test_meta_data() -> None:
    assert meta_data("latest") == {
        "uuid": GUEST.server_id,
        "name": "Web 1",
        "hostname": "web-1",
        "availability_zone": "nova",
        "launch_index": 3,
        "project_id": "proj",
        "meta": {"role": "web"},
        "public_keys": {"mine": "ssh-ed25519 AAAA me"},
        "keys": [{"name": "mine", "type": "ssh", "data": "ssh-ed25519 AAAA me"}],
        "files": [
            {"content_path": "/content/0000", "path": "/etc/motd"},
            {"content_path": "/content/0001", "path": "/etc/two"},
        ],
        "random_seed": "c2VlZA==",
        "devices": [{"type": "nic", "bus": "pci", "address": "0000:00:02.0", "mac": LINK.mac, "tags": ["front"]}],
        "dedicated_cpus": [],
    }


@pytest.mark.parametrize(
    ("since", "key"),
    [
        ("2013-04-04", "random_seed"),
        ("2015-10-15", "project_id"),
        ("2016-06-30", "devices"),
        ("2020-10-14", "dedicated_cpus"),
    ],
)
def test_meta_data_grew_with_the_versions(since: str, key: str) -> None:
    assert [v for v in OPENSTACK_VERSIONS if key in meta_data(v)] == [v for v in OPENSTACK_VERSIONS if v >= since]


@pytest.mark.parametrize(
    ("since", "name"),
    [
        ("2012-08-10", "user_data"),
        ("2013-04-04", "password"),
        ("2013-10-17", "vendor_data.json"),
        ("2015-10-15", "network_data.json"),
        ("2016-10-06", "vendor_data2.json"),
    ],
)
def test_files_came_with_their_version(since: str, name: str) -> None:
    having = [v for v in OPENSTACK_VERSIONS if f"openstack/{v}/{name}" in SERVICE]
    assert having == [v for v in OPENSTACK_VERSIONS if v >= since]


def test_the_password_is_on_the_drive_alone() -> None:
    assert json.loads(DRIVE["openstack/latest/meta_data.json"])["admin_pass"] == "s3cret"
    assert not any(b"s3cret" in content for content in SERVICE.values())


def test_the_drive_holds_both_trees_and_the_files() -> None:
    assert json.loads(DRIVE["ec2/latest/meta-data.json"])["instance-id"] == "i-0000002a"
    assert DRIVE["ec2/2009-04-04/user-data"] == DRIVE["openstack/latest/user_data"] == b"#!/bin/sh\n"
    assert DRIVE["openstack/content/0000"] == b"hello\n"
    assert "openstack/latest/password" not in DRIVE


def test_network_data() -> None:
    told = json.loads(SERVICE["openstack/latest/network_data.json"])
    assert told["networks"] == [
        {"id": "network0", "link": told["links"][0]["id"], "network_id": "n1", "type": "ipv4_dhcp"},
    ]
    assert told["services"] == [{"type": "dns", "address": "9.9.9.9"}]


def test_network_data_of_a_network_without_dhcp() -> None:
    link = msgspec.structs.replace(LINK, dhcp=False, addresses=("10.0.0.5/24", "fd00::5/64"))
    guest = msgspec.structs.replace(GUEST, links=(link,))
    v4, v6 = json.loads(render(guest, config_drive=False)["openstack/latest/network_data.json"])["networks"]
    assert (v4["ip_address"], v4["netmask"]) == ("10.0.0.5", "255.255.255.0")
    assert [route["gateway"] for route in v4["routes"]] == ["10.0.0.1"]
    assert (v6["id"], v6["ip_address"], v6["routes"]) == ("network1", "fd00::5", [])


@given(
    name=st.text(),
    metadata=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5),
    user_data=st.binary(max_size=99),
)
def test_any_text_survives(name: str, metadata: dict[str, str], user_data: bytes) -> None:
    guest = msgspec.structs.replace(GUEST, name=name, metadata=metadata, user_data=base64.b64encode(user_data).decode())
    for drive in (False, True):
        tree = render(guest, config_drive=drive)
        told = json.loads(tree["openstack/latest/meta_data.json"])
        assert told["name"] == name
        assert told.get("meta", {}) == metadata
        assert tree["openstack/latest/user_data"] == user_data
        assert not any(path.startswith("/") or ".." in path.split("/") for path in tree)
