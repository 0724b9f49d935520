"""The official `openstack` command as the judge: a small cloud of identity and images on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from kilonova.api import identity, image
from kilonova.api.framework import Policy, Rim
from kilonova.domain.clock import SystemClock
from kilonova.identity.bootstrap import CatalogService, ensure_first_start
from kilonova.image.service import ImageService
from tests.fakes.identity import SERVICES, make_identity
from tests.imageparts import iso, qcow2
from tests.openstack_client import Client, openstack

STOP_S = 20
CATALOG = (*SERVICES, CatalogService("image", "glance", "/image"))


@pytest.fixture
def people(service: ImageService, tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """The admin and the user demo."""
    who, made = make_identity(service.database, SystemClock())
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with service.database.write() as tx:
        ensure_first_start(tx, who, base, CATALOG)
    services = [identity.identity_service(who), image.image_service(service)]
    app = Rim(services, authenticator=who.authenticator, policy=Policy((*identity.POLICIES, *image.POLICIES)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        url = f"{base}/identity"
        with (
            openstack(url, "admin", made.admin_password, tmp_path) as admin,
            openstack(url, "demo", made.demo_password, tmp_path) as demo,
        ):
            yield admin, demo
    finally:
        server.should_exit = True
        thread.join(STOP_S)
        listening.close()
        assert not thread.is_alive()


def test_images_of_every_kind_come_and_go(people: tuple[Client, Client], tmp_path: Path) -> None:
    _, demo = people
    for name, content in (
        ("disk.raw", b"r" * 3_000_000),
        ("disk.qcow2", qcow2()),
        ("disc.iso", iso()),
        ("kernel", b"k"),
    ):
        (tmp_path / name).write_bytes(content)
    kernel = demo.ask(
        "image", "create", "--file", "kernel", "--disk-format", "aki", "--container-format", "aki", "kernel"
    )
    assert (kernel["status"], kernel["size"]) == ("active", 1)
    ramdisk = demo.ask(
        "image", "create", "--file", "kernel", "--disk-format", "ari", "--container-format", "ari", "ramdisk"
    )
    booted = demo.ask(
        "image", "create", "--file", "disk.raw", "--disk-format", "ami", "--container-format", "ami",
        "--property", f"kernel_id={kernel['id']}", "--property", f"ramdisk_id={ramdisk['id']}", "--min-ram", "64", "machine",
    )  # fmt: skip
    assert (booted["properties"]["kernel_id"], booted["min_ram"]) == (kernel["id"], 64)
    for kind, file in (("raw", "disk.raw"), ("qcow2", "disk.qcow2"), ("iso", "disc.iso")):
        made = demo.ask("image", "create", "--file", file, "--disk-format", kind, "--tag", "t", "--private", kind)
        assert (made["status"], made["visibility"], made["tags"]) == ("active", "private", ["t"])
    assert {one["Name"] for one in demo.ask("image", "list", "--tag", "t")} == {"raw", "qcow2", "iso"}
    demo.do("image", "save", "--file", "back.qcow2", "qcow2")
    assert (tmp_path / "back.qcow2").read_bytes() == qcow2()
    demo.do("image", "delete", "raw", "qcow2", "iso", "machine")
    assert {one["Name"] for one in demo.ask("image", "list")} == {"kernel", "ramdisk"}


def test_an_image_is_changed(people: tuple[Client, Client], tmp_path: Path) -> None:
    _, demo = people
    (tmp_path / "bits").write_bytes(b"bits")
    demo.do("image", "create", "--file", "bits", "before")
    demo.do(
        "image", "set", "--name", "after", "--property", "hw_disk_bus=scsi", "--property", "os_distro=debian", "--tag", "a",
        "--tag", "b", "--min-disk", "2", "--protected", "--hidden", "before",
    )  # fmt: skip
    shown = demo.ask("image", "show", "after")
    assert (shown["name"], shown["tags"], shown["min_disk"], shown["protected"]) == ("after", ["a", "b"], 2, True)
    assert (shown["properties"]["hw_disk_bus"], shown["properties"]["os_hidden"]) == ("scsi", True)
    assert demo.ask("image", "list") == []
    assert [one["Name"] for one in demo.ask("image", "list", "--hidden")] == ["after"]
    demo.do("image", "unset", "--property", "hw_disk_bus", "--tag", "a", "after")
    assert demo.run("image", "delete", "after").code != 0
    demo.do("image", "set", "--unprotected", "--unhidden", "--deactivate", "after")
    shown = demo.ask("image", "show", "after")
    assert (shown["tags"], shown["status"], "hw_disk_bus" in shown["properties"]) == (["b"], "deactivated", False)
    assert demo.run("image", "save", "--file", "out", "after").code != 0
    demo.do("image", "set", "--activate", "after")
    demo.do("image", "delete", "after")


def test_an_image_is_shared(people: tuple[Client, Client], tmp_path: Path) -> None:
    admin, demo = people
    (tmp_path / "bits").write_bytes(b"bits")
    ident = admin.ask("image", "create", "--file", "bits", "--shared", "s")["id"]
    project = demo.ask("token", "issue")["project_id"]
    admin.do("image", "add", "project", ident, project)
    assert [one["Status"] for one in admin.ask("image", "member", "list", ident)] == ["pending"]
    assert demo.ask("image", "list") == []
    demo.do("image", "set", "--accept", ident)
    assert [one["ID"] for one in demo.ask("image", "list", "--shared")] == [ident]
    admin.do("image", "remove", "project", ident, project)
    assert demo.run("image", "show", ident).code != 0
    admin.do("image", "set", "--public", ident)
    assert demo.ask("image", "show", ident)["visibility"] == "public"


def test_what_is_refused_is_told(people: tuple[Client, Client], tmp_path: Path) -> None:
    _, demo = people
    (tmp_path / "bad").write_bytes(qcow2(backing=104))
    refused = demo.run("image", "create", "--file", "bad", "--disk-format", "qcow2", "bad")
    assert refused.code != 0
    assert "backing_file" in refused.err
    denied = demo.run("image", "create", "--public", "mine")
    assert "publicize_image" in denied.err
