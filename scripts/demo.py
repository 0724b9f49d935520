"""
The main job, shown: a cloud from nothing, a real server in it through the official client, and a word with it by ssh.

Everything is done with the commands a user would type; each is printed before it is run. Run again, it finds what it
made. The last line is `demo: ok` and what it took, in seconds: `up_s` until the cloud answered, `active_s` for `openstack
server create --wait` (which looks every few seconds), `ssh_s` from there until a command had run in the guest.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
GUEST = Path(__file__).parent.parent / "build" / "guest"
OPENSTACK = (str(BIN / "openstack"), "--os-cloud", "kilonova")
SERVER = "demo"
FLAVOR = "m1.nano"
SSH_WITHIN_S = 90.0


class DemoError(Exception):
    """A step did not work; its text says which, and what to look at."""


def run(*command: str, quiet: bool = False, may_fail: bool = False) -> str:
    """Run a command as a user would, and give what it printed."""
    if not quiet:
        shown = [Path(command[0]).name, *command[1:]]
        print(f"\n$ {shlex.join(shown)}", flush=True)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise DemoError(f"`{shlex.join(command)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    if not quiet and done.stdout:
        print(done.stdout.rstrip(), flush=True)
    return done.stdout if not done.returncode else ""


def openstack(*words: str, **how: Any) -> str:
    """Run the official client on our cloud."""
    return run(*OPENSTACK, *words, **how)


def ask(*words: str) -> Any:
    """The same, quietly, for its JSON; None when there is no such thing."""
    text = openstack(*words, "-f", "json", quiet=True, may_fail=True)
    return json.loads(text) if text else None


def bring_up() -> dict[str, Any]:
    """`kilonova up`, and what it says of itself."""
    run(str(BIN / "kilonova"), "up", *sys.argv[1:])
    status: dict[str, Any] = json.loads(run(str(BIN / "kilonova"), "status", "-o", "json", quiet=True))
    return status


def ensure_key(folder: Path) -> Path:
    """A key pair of the demo's own."""
    key = folder / "keys" / "demo"  # where `kilonova ssh` looks, beside ~/.ssh
    if not key.exists():
        key.parent.mkdir(mode=0o700, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kilonova-demo", "-f", str(key))
    if ask("keypair", "show", "demo") is None:
        openstack("keypair", "create", "--public-key", f"{key}.pub", "demo")
    return key


def ensure_images() -> None:
    """The tiny guest, both ways: kernel, ramdisk and disk; and one bootable qcow2."""
    manifest = json.loads((GUEST / "manifest.json").read_text())
    kernel = ensure_image("tiny-kernel", "vmlinuz", "aki", "aki")
    ramdisk = ensure_image("tiny-ramdisk", "initrd", "ari", "ari")
    boot = ("kernel_id", kernel), ("ramdisk_id", ramdisk), ("os_command_line", manifest["kernel_arguments"])
    ensure_image("tiny-ami", "rootfs.img", "ami", "ami", *boot)
    ensure_image("tiny", "kilonova-guest.qcow2", "qcow2", "bare")


def ensure_image(name: str, file: str, disk: str, container: str, *properties: tuple[str, str]) -> str:
    """One image, uploaded when it is not there, or is not what was built."""
    wanted = json.loads((GUEST / "manifest.json").read_text())["files"][file]
    found = ask("image", "show", name)
    if found is not None and found["size"] == wanted["size"]:
        return str(found["id"])
    if found is not None:
        openstack("image", "delete", name)
    extra = [word for key, value in properties for word in ("--property", f"{key}={value}")]
    openstack(
        "image", "create", "--public", "--disk-format", disk, "--container-format", container,
        "--file", str(GUEST / file), *extra, name, "-f", "value", "-c", "status",
    )  # fmt: skip
    return str(ask("image", "show", name)["id"])


def ensure_ssh_allowed() -> None:
    """A rule that lets ssh in; without one nothing gets in, as everywhere in OpenStack."""
    rules = ask("security", "group", "rule", "list", "default", "--protocol", "tcp", "--ingress") or []
    if not any(rule.get("Port Range") == "22:22" for rule in rules):
        openstack(
            "security", "group", "rule", "create", "--protocol", "tcp", "--dst-port", "22", "default",
            "-f", "value", "-c", "id",
        )  # fmt: skip


def boot_server() -> None:
    """A new server."""
    openstack(
        "server", "create", "--image", "tiny", "--flavor", FLAVOR, "--nic", "auto", "--key-name", "demo", "--wait", SERVER,
        "-f", "value", "-c", "status",
    )  # fmt: skip


def show_server() -> None:
    """What the cloud says of it."""
    openstack("server", "show", SERVER, "-c", "name", "-c", "status", "-c", "addresses", "-c", "flavor", "-c", "image")


def talk_to(key: Path) -> None:
    """Run a command in the guest: its name, its address, and what 169.254.169.254 told it."""
    command = [str(BIN / "kilonova"), "ssh", "--identity", str(key), SERVER, "--", "report"]
    deadline = time.monotonic() + SSH_WITHIN_S
    while not (text := run(*command, quiet=True, may_fail=True)):
        if time.monotonic() > deadline:
            raise DemoError(f"ssh to {SERVER} did not work within {SSH_WITHIN_S:.0f} s; see `kilonova logs {SERVER}`.")
        time.sleep(0.2)
    print(f"\n$ {shlex.join([Path(command[0]).name, *command[1:]])}\n{text.rstrip()}", flush=True)
    report = json.loads(text)
    if report["metadata_service"] is None or report["hostname"] != SERVER:
        raise DemoError("The guest was not told its name by the metadata service.")


def main() -> None:
    """Show it all."""
    began = time.monotonic()
    status = bring_up()
    up_s = time.monotonic() - began
    key = ensure_key(Path(status["data_dir"]))
    ensure_images()
    ensure_ssh_allowed()
    if ask("server", "show", SERVER) is not None:
        openstack("server", "delete", "--wait", SERVER)
    began = time.monotonic()
    boot_server()
    active_s = time.monotonic() - began
    show_server()
    talk_to(key)
    ssh_s = time.monotonic() - began - active_s
    openstack("console", "log", "show", "--lines", "12", SERVER)
    print("\nThe cloud stays up: `kilonova status` shows it, `kilonova down --purge` leaves nothing of it.")
    print("demo: ok " + json.dumps({"up_s": round(up_s, 2), "active_s": round(active_s, 2), "ssh_s": round(ssh_s, 2)}))


if __name__ == "__main__":
    try:
        main()
    except DemoError as problem:
        sys.exit(f"demo: failed\n{problem}")
