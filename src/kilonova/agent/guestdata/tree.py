"""
A server's guest data as a tree of files: what the metadata service serves and what the config drive holds.

Pure: `GuestData` in, paths and bytes out, in OpenStack's layout of every version and in EC2's. The two renderings differ where
OpenStack's do: the service has EC2's tree as a file per value (`latest/meta-data/hostname`), the drive as one JSON document
(`ec2/latest/meta-data.json`); the password of the administrator is on the drive alone, since any process in a guest may ask
the service.

A directory of the service has a text too, its listing, which `lookup` makes from the paths below it. EC2 wants one listing
that is not its entries' names (`public-keys/` says `0=mykey`): the tree holds that text under the path with a slash at its end.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kilonova.agent.guestdata.network_data import network_data
from kilonova.domain.machine import GuestData, GuestDevice

OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "2025-04-04",
)
EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)
_EC2_ON_DRIVE = ("2009-04-04", "latest")

Tree = dict[str, bytes]


def render(guest: GuestData, *, config_drive: bool) -> Tree:
    """Every file, by its path without a leading slash: as the config drive's, or as the metadata service's."""
    tree = _ec2_drive(guest) if config_drive else _ec2_service(guest)
    for version in (*OPENSTACK_VERSIONS, "latest"):
        files = _openstack(guest, version, config_drive=config_drive)
        tree.update({f"openstack/{version}/{name}": content for name, content in files.items()})
    for index, path in enumerate(guest.files):
        tree[f"openstack/{_content_path(index)}"] = base64.b64decode(guest.files[path])
    return tree


def lookup(tree: Mapping[str, bytes], path: str) -> bytes | None:
    """What the service answers for `path`: the file, or a directory's listing, one name a line; None when there is neither."""
    path = path.strip("/")
    if path in tree:
        return tree[path]
    prefix = f"{path}/" if path else ""
    if prefix in tree:
        return tree[prefix]
    names: dict[str, None] = {}
    for known in tree:
        if known.startswith(prefix):
            first, slash, _ = known[len(prefix) :].partition("/")
            # OpenStack's clients and EC2's both walk these; only EC2's values are marked as directories by a slash.
            names[first + slash if _marks_directories(path) else first] = None
    return "\n".join(names).encode() if names else None


def _marks_directories(path: str) -> bool:
    return "meta-data" in path.split("/")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


# --- OpenStack's tree ------------------------------------------------------------------------------------------------


def _openstack(guest: GuestData, version: str, *, config_drive: bool) -> Tree:
    """The files of one version: each came with a version and stayed."""
    files = {"meta_data.json": _json(_meta_data(guest, version, config_drive=config_drive))}
    if guest.user_data is not None:
        files["user_data"] = base64.b64decode(guest.user_data)
    if version >= "2013-04-04" and not config_drive:
        files["password"] = b""
    if version >= "2013-10-17":
        files["vendor_data.json"] = _json({})
    if version >= "2015-10-15":
        files["network_data.json"] = _json(network_data(guest.links))
    if version >= "2016-10-06":
        files["vendor_data2.json"] = _json({"static": {}})
    return files


def _meta_data(guest: GuestData, version: str, *, config_drive: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "uuid": guest.server_id,
        "name": guest.name,
        "hostname": guest.hostname,
        "availability_zone": guest.availability_zone,
        "launch_index": guest.launch_index,
    }
    if guest.metadata:
        data["meta"] = guest.metadata
    if guest.keys:
        data["public_keys"] = guest.keys
        data["keys"] = [{"name": name, "type": "ssh", "data": key} for name, key in guest.keys.items()]
    if guest.files:
        data["files"] = [{"content_path": f"/{_content_path(i)}", "path": path} for i, path in enumerate(guest.files)]
    if config_drive and guest.admin_pass is not None:
        data["admin_pass"] = guest.admin_pass
    if version >= "2013-04-04":
        data["random_seed"] = guest.random_seed
    if version >= "2015-10-15":
        data["project_id"] = guest.project_id
    if version >= "2016-06-30":
        data["devices"] = [_device(device) for device in guest.devices]
    if version >= "2020-10-14":
        data["dedicated_cpus"] = []
    return data


def _device(device: GuestDevice) -> dict[str, Any]:
    view: dict[str, Any] = {
        "type": device.type,
        "bus": device.bus,
        "address": device.address,
        "tags": list(device.tags),
    }
    if device.mac is not None:
        view["mac"] = device.mac
    if device.serial is not None:
        view["serial"] = device.serial
    return view


def _content_path(index: int) -> str:
    return f"content/{index:04d}"


# --- EC2's tree ------------------------------------------------------------------------------------------------------


def _ec2_service(guest: GuestData) -> Tree:
    tree: Tree = {}
    for version in (*EC2_VERSIONS, "latest"):
        _flatten(tree, f"{version}/meta-data", _ec2_meta_data(guest, version))
        if guest.keys:
            listing = "\n".join(f"{index}={name}" for index, name in enumerate(guest.keys))
            tree[f"{version}/meta-data/public-keys/"] = listing.encode()
        if guest.user_data is not None:
            tree[f"{version}/user-data"] = base64.b64decode(guest.user_data)
    return tree


def _ec2_drive(guest: GuestData) -> Tree:
    tree: Tree = {}
    for version in _EC2_ON_DRIVE:
        tree[f"ec2/{version}/meta-data.json"] = _json(_ec2_meta_data(guest, version))
        if guest.user_data is not None:
            tree[f"ec2/{version}/user-data"] = base64.b64decode(guest.user_data)
    return tree


def _ec2_meta_data(guest: GuestData, version: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "ami-id": _ec2_image(guest.image_id),
        "ami-launch-index": guest.launch_index,
        "ami-manifest-path": "FIXME",  # OpenStack's own literal value, which cloud-init's tests know
        "instance-id": f"i-{guest.number:08x}",
        "hostname": guest.hostname,
        "local-ipv4": _first_ipv4(guest),
        "reservation-id": guest.reservation_id,
        "security-groups": list(guest.security_groups),
    }
    if guest.keys:
        data["public-keys"] = {
            str(index): {"_name": f"{index}={name}", "openssh-key": key}
            for index, (name, key) in enumerate(guest.keys.items())
        }
    if version >= "2007-01-19":
        data["local-hostname"] = guest.hostname
        data["public-hostname"] = guest.hostname
        data["public-ipv4"] = ""
    if version >= "2007-08-29":
        data["instance-type"] = guest.instance_type
    if version >= "2007-12-15":
        data["block-device-mapping"] = guest.block_devices
    if version >= "2008-02-01":
        data["placement"] = {"availability-zone": guest.availability_zone}
    if version >= "2008-09-01":
        data["instance-action"] = "none"
    return data


def _flatten(tree: Tree, path: str, value: Any) -> None:
    """Lay a nested value out as files; a name that starts with an underscore is for the JSON form only."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("_"):
                _flatten(tree, f"{path}/{name}", inner)
    elif isinstance(value, list):
        tree[path] = "\n".join(value).encode()
    else:
        tree[path] = str(value).encode()


def _ec2_image(image_id: str | None) -> str:
    """EC2's image ids are short: eight digits of the real one's hash, the same on every host."""
    return "ami-" + hashlib.sha256((image_id or "").encode()).hexdigest()[:8]


def _first_ipv4(guest: GuestData) -> str:
    addresses = (address.partition("/")[0] for link in guest.links for address in link.addresses)
    return next((address for address in addresses if ":" not in address), "")
