"""
Things by name or id, and what to take when nothing was named.

An id wins over a name; a name that several things have is an error that lists their ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kilonova.cli.client import ApiError, Client
from kilonova.cli.errors import NO_CAPACITY, USAGE, Ambiguous, CliError, NotFound

Thing = dict[str, Any]
_UUID = re.compile(r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_GIB = 1 << 30


def server(client: Client, ref: str) -> Thing:
    """A server in detail. Raises NotFound, Ambiguous."""
    if (found := _by_id(client, "compute", f"/servers/{ref}", "server", ref)) is not None:
        return found
    alike = client.pages("compute", "/servers/detail", "servers", name=f"^{re.escape(ref)}$")
    same = [one for one in alike if one["name"] == ref]
    if not same:
        known = [one["name"] for one in client.pages("compute", "/servers", "servers")]
        raise NotFound("server", ref, known, next_step="kilonova ps")
    return _only("server", ref, same)


def is_id(ref: str) -> bool:
    """Whether it has the form of an id; a name may have it too."""
    return _UUID.match(ref) is not None


def image(client: Client, ref: str) -> Thing:
    """An image. Raises NotFound, Ambiguous."""
    body = _by_id(client, "image", f"/images/{ref}", None, ref)
    return body if body is not None else _named("image", ref, list(client.pages("image", "/images", "images")))


def image_with(client: Client, wanted: Mapping[str, str]) -> tuple[Thing, int]:
    """The newest image that has all these properties, and how many there were. Raises NotFound."""
    usable = _usable(client)
    found = [one for one in usable if all(str(one.get(key)) == value for key, value in wanted.items())]
    if not found:
        text = ", ".join(f"{key}={value}" for key, value in wanted.items())
        raise NotFound(
            "image with", text, [one["name"] or one["id"] for one in usable], next_step="openstack image list --long"
        )
    return max(found, key=lambda one: str(one.get("created_at", ""))), len(found)


def default_image(client: Client) -> Thing:
    """The only image there is to boot from. Raises CliError when there is none, or a choice."""
    usable = _usable(client)
    if len(usable) == 1:
        return usable[0]
    if not usable:
        step = "openstack image create NAME --disk-format qcow2 --container-format bare --file FILE"
        raise CliError("There is no image to boot from.", next_step=step, exit_code=3)
    names = ", ".join(sorted(one["name"] or one["id"] for one in usable)[:8])
    raise CliError(f"There are {len(usable)} images: {names}.", next_step="say which: --image NAME", exit_code=USAGE)


def flavor(client: Client, ref: str) -> Thing:
    """A flavor. Raises NotFound, Ambiguous."""
    flavors = list(client.pages("compute", "/flavors/detail", "flavors"))
    by_id = [one for one in flavors if one["id"] == ref]
    return by_id[0] if by_id else _named("flavor", ref, flavors)


def smallest_flavor(flavors: Iterable[Thing], for_image: Thing) -> Thing:
    """The flavor with the least memory, processors and disk that the image fits in. Raises CliError."""
    ram = int(for_image.get("min_ram") or 0)
    size = int(for_image.get("virtual_size") or for_image.get("size") or 0)
    disk = max(int(for_image.get("min_disk") or 0), -(-size // _GIB))
    fitting = [one for one in flavors if one["ram"] >= ram and one["disk"] >= max(disk, 1)]
    if not fitting:
        needs = f"{ram} MiB of memory and {disk} GiB of disk"
        raise CliError(
            f"No flavor has what image {for_image['name'] or for_image['id']} needs: {needs}.",
            next_step=f"openstack flavor create NAME --ram {max(ram, 256)} --disk {max(disk, 1)} --vcpus 1",
            exit_code=NO_CAPACITY,
        )
    return min(fitting, key=lambda one: (one["ram"], one["vcpus"], one["disk"], one["name"]))


def default_flavor(client: Client, for_image: Thing) -> Thing:
    """The smallest that fits. Raises CliError."""
    return smallest_flavor(client.pages("compute", "/flavors/detail", "flavors"), for_image)


def network_id(client: Client, name: str) -> str:
    """A network's id by its name. Raises NotFound, Ambiguous."""
    return str(_named("network", name, list(client.pages("network", "/networks", "networks")))["id"])


def key_names(client: Client) -> list[str]:
    """The user's key pairs."""
    return [str(one["keypair"]["name"]) for one in client.get("compute", "/os-keypairs")["keypairs"]]


def key_name(client: Client, ref: str) -> str:
    """That key pair, if there is one. Raises NotFound."""
    known = key_names(client)
    if ref not in known:
        raise NotFound(
            "key pair", ref, known, next_step=f"openstack keypair create --public-key ~/.ssh/id_ed25519.pub {ref}"
        )
    return ref


def _usable(client: Client) -> list[Thing]:
    """Images to boot from: complete, and not one half of a pair of kernel and ramdisk."""
    images = client.pages("image", "/images", "images", status="active")
    return [one for one in images if one.get("container_format") not in ("aki", "ari")]


def _by_id(client: Client, service: str, path: str, key: str | None, ref: str) -> Thing | None:
    if not is_id(ref):
        return None
    try:
        body: Thing = client.get(service, path)
    except ApiError as refused:
        if refused.status == 404:
            return None
        raise
    return body[key] if key else body


def _named(kind: str, ref: str, things: list[Thing]) -> Thing:
    same = [one for one in things if one["name"] == ref]
    if not same:
        raise NotFound(kind, ref, [one["name"] for one in things if one["name"]], next_step=f"openstack {kind} list")
    return _only(kind, ref, same)


def _only(
    kind: str, ref: str, things: list[Thing], ident: Callable[[Thing], str] = lambda one: str(one["id"])
) -> Thing:
    if len(things) > 1:
        raise Ambiguous(kind, ref, [ident(one) for one in things])
    return things[0]
