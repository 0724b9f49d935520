"""A member of one project, who wants another's things, the operator's, or all of the cloud's time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from tests.attack.kit import attack, must
from tests.attack.target import Target
from tests.story.hostile.world import Person

NOBODYS = "5b1f4c6e-97c1-4a43-a9d4-0e4e9fdb8f3c"
_HINTS = "os:scheduler_hints"


def _is_refused(answer: Any, what: str) -> None:
    must(answer.status_code in (400, 403, 404, 409, 413), f"{what}: answered {answer.status_code} {answer.text[:200]}")


def _boot(person: Person, image: str, **more: Any) -> Any:
    hints = more.pop(_HINTS, None)
    wanted = {"server": {"name": "one", "flavorRef": "1", "imageRef": image, "networks": "none", **more}}
    return person.send("POST", "compute /servers", wanted | ({_HINTS: hints} if hints else {}))


@attack
def anothers_ramdisk(target: Target) -> None:
    """An image that names another's private image, or one set aside, as its kernel or ramdisk."""
    private = target.victim.image(disk_format="ari", container_format="ari")
    own = target.mallory.image(disk_format="ari", container_format="ari")
    target.admin.ok("POST", f"image /images/{own}/actions/deactivate")
    for ident in (private, own):
        for name in ("kernel_id", "ramdisk_id"):
            fields = {"disk_format": "ami", "container_format": "ami", name: ident}
            record = target.mallory.send("POST", "image /images", {"name": "bait", **fields})
            if record.status_code != 201:
                continue
            image = record.json()["id"]
            octets = {"Content-Type": "application/octet-stream"}
            target.mallory.ok("PUT", f"image /images/{image}/file", bytes(4096), headers=octets)
            _is_refused(_boot(target.mallory, image), f"a boot with another's {name}")


@attack
def strangers_hint(target: Target) -> None:
    """A hint that names another's server is as one that names nobody's."""
    server = target.victim.booted(target.victim.image())
    image = target.mallory.image()
    for hint in ("same_host", "different_host"):
        words = []
        for ident in (server, NOBODYS):
            answer = _boot(target.mallory, image, **{_HINTS: {hint: [ident]}})
            words.append((answer.status_code, answer.text.replace(ident, "ID")))
        must(
            words[0][0] == words[1][0] and (words[0][0] == 202 or words[0][1] == words[1][1]), f"{hint} tells: {words}"
        )


@attack
def port_on_anothers_server(target: Target) -> None:
    """A port that says it is of another's server, in every spelling, does not show among its addresses."""
    server = target.victim.booted(target.victim.image())
    target.victim.settled(server)
    network = target.mallory.make("network", name="bait")["id"]
    target.mallory.make("subnet", network_id=network, cidr="10.66.6.0/24", ip_version=4)
    for owner in ("compute:nova", "Compute:nova", "COMPUTE:NOVA", "compute:%", "compute:nova\u200b", "computе:nova"):  # noqa: RUF001 - a look-alike
        body = {"port": {"network_id": network, "device_id": server, "device_owner": owner}}
        target.mallory.send("POST", "network /ports", body)
    shown = json.dumps(target.victim.ok("GET", f"compute /servers/{server}")["server"]["addresses"])
    must("10.66.6." not in shown, f"the victim's server shows {shown}")
    interfaces = target.victim.send("GET", f"compute /servers/{server}/os-interface").text
    must("10.66.6." not in interfaces, f"the victim's server has {interfaces}")


@attack
def ranges_of_the_operator(target: Target) -> None:
    """Subnets that would take the machine's own ways: half the world, loopback, the metadata address."""
    network = target.mallory.make("network", name="greedy")["id"]
    for cidr in ("0.0.0.0/0", "128.0.0.0/1", "0.0.0.0/1", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "0.0.0.0/24"):
        body = {"subnet": {"network_id": network, "cidr": cidr, "ip_version": 4}}
        _is_refused(target.mallory.send("POST", "network /subnets", body), f"the range {cidr}")


@attack
def silent_uploads(target: Target) -> None:
    """Uploads that stop in the middle: others up- and download while they are held open."""
    with ExitStack() as held:
        for number in range(24):
            ident = target.mallory.image(None, name=f"slow {number}")
            sock = held.enter_context(target.stranger())
            head = (
                f"PUT /image/v2/images/{ident}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {target.mallory.token}\r\n"
                "Content-Type: application/octet-stream\r\nContent-Length: 900000\r\n\r\n"
            )
            sock.sendall(head.encode() + bytes(1000))
        target.must_serve()
        image = target.victim.image(b"\1" * 70_000, name="mine")
        got = target.victim.send("GET", f"image /images/{image}/file").content
        must(got == b"\1" * 70_000, "an image came back otherwise")


@attack
def costly_regex(target: Target) -> None:
    """A filter that takes a backtracking engine for ever: others are answered meanwhile."""
    target.mallory.settled(target.mallory.booted(target.mallory.image(), name="a" * 200 + "!"))
    with ThreadPoolExecutor(4) as pool:
        asked = {"name": "^(a+)+(a+)+(a+)+$"}
        tries = [pool.submit(target.mallory.send, "GET", "compute /servers", params=asked) for _ in range(4)]
        target.must_serve()
        answers = {one.result().status_code for one in tries}
    must(answers <= {200, 400}, f"answered {answers}")


@attack
def great_hints(target: Target) -> None:
    """Hints, metadata and properties without measure are refused."""
    image = target.mallory.image()
    _is_refused(_boot(target.mallory, image, **{_HINTS: {"x": "y" * 900_000}}), "a hint of 900 kB")
    _is_refused(_boot(target.mallory, image, **{_HINTS: {f"x{n}": "y" for n in range(50_000)}}), "50,000 hints")
    _is_refused(_boot(target.mallory, image, metadata={f"k{n}": "v" for n in range(5_000)}), "5,000 metadata items")
    record = {"name": "fat", **{f"p{n}": "v" for n in range(5_000)}}
    _is_refused(target.mallory.send("POST", "image /images", record), "5,000 image properties")


@attack
def quotas_at_once(target: Target) -> None:
    """What is counted is counted exactly, however many ask at once."""
    quota, tries = 5, 16 if target.is_short else 48
    path = f"compute /os-quota-sets/{target.mallory.project_id}"
    target.admin.ok("PUT", path, {"quota_set": {"key_pairs": quota}})
    target.admin.ok("PUT", f"network /quotas/{target.mallory.project_id}", {"quota": {"security_group": quota}})

    def make(number: int) -> None:
        target.mallory.send(
            "POST", "compute /os-keypairs", {"keypair": {"name": f"k{number}", "type": "ssh", "public_key": _KEY}}
        )
        target.mallory.send("POST", "network /security-groups", {"security_group": {"name": f"g{number}"}})

    with ThreadPoolExecutor(tries) as pool:
        list(pool.map(make, range(tries)))
    keys = len(target.mallory.ok("GET", "compute /os-keypairs")["keypairs"])
    groups = len(target.mallory.ok("GET", "network /security-groups")["security_groups"])
    must((keys, groups) == (quota, quota), f"{keys} key pairs and {groups} groups of {quota} each")


@attack
def what_is_not_done(target: Target) -> None:
    """What this cloud does not do is refused by name, not taken and forgotten."""
    for key, value in (
        ("hw:cpu_policy", "dedicated"),
        ("hw:mem_page_size", "large"),
        ("pci_passthrough:alias", "gpu:1"),
    ):
        answer = target.admin.send("POST", "compute /flavors/1/os-extra_specs", {"extra_specs": {key: value}})
        must(answer.status_code == 400 and key in answer.text, f"{key}: {answer.status_code} {answer.text[:200]}")
    for action in ("migrate", "os-getVNCConsole"):
        answer = target.mallory.send("POST", f"compute /servers/{NOBODYS}/action", {action: None})
        must(400 <= answer.status_code < 500 or answer.status_code == 501, f"{action}: {answer.status_code}")


@attack
def words_that_move_the_cursor(target: Target) -> None:
    """A name with escape sequences does not reach the operator's terminal as such."""
    evil = "evil\x1b]0;owned\x07\x1b[2J\u202e"
    server = target.mallory.booted(target.mallory.image(), name="harmless", metadata={"k": evil})
    target.mallory.settled(server)
    for name in ("evil\u202e", evil):
        target.mallory.send("PUT", f"compute /servers/{server}", {"server": {"name": name, "description": evil}})
    environment = {**os.environ, **target.operators_environment()}
    command = [sys.executable, "-m", "kilonova.cli.main", "--data-dir", str(target.data_dir)]
    for words in (["ps", "--all"], ["show", server]):
        done = subprocess.run([*command, *words], capture_output=True, timeout=60, check=False, env=environment)
        must(done.returncode == 0, f"kilonova {words[0]}: {done.stderr.decode()}")
        must(server.encode() in done.stdout, f"it was not listed: {done.stdout.decode()}")
        must(not {0x1B, 0x07} & set(done.stdout) and "\u202e" not in done.stdout.decode(), f"{done.stdout!r}")


@attack
def anothers_things(target: Target) -> None:
    """The ids of another's things, where one's own belong: as if they were not there."""
    image = target.victim.image()
    server = target.victim.booted(image)
    for method, way in (
        ("GET", f"compute /servers/{server}"), ("DELETE", f"compute /servers/{server}"),
        ("GET", f"image /images/{image}"), ("GET", f"image /images/{image}/file"), ("DELETE", f"image /images/{image}"),
    ):  # fmt: skip
        answer = target.mallory.send(method, way)
        must(answer.status_code == 404, f"{method} {way}: {answer.status_code}")
    _is_refused(_boot(target.mallory, image), "a boot of another's image")


_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBRpb8FQnRXE7wjGQPRtVQqbPHo/0gRkZUJvYhcxMUQ2 mallory"
