"""Fetches Debian packages by name and unpacks them into the build folder; the host's own packages stay as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

KERNEL = "linux-image-cloud-amd64"
USERLAND = (
    "busybox",
    "dropbear-bin",
    "e2fsprogs",
    "libc6",
    "libcom-err2",
    "libcrypt1",
    "libext2fs2",
    "libgmp10",
    "libtomcrypt1",
    "libtommath1",
    "zlib1g",
)


class BuildError(Exception):
    """The build cannot go on; the text says why and what to do next."""


def run(*command: str | Path, cwd: Path | None = None, when: int | None = None) -> str:
    """Run a tool and return what it prints; ``when`` fixes the clock of tools that can be told one."""
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    if when is not None:
        environment |= {"SOURCE_DATE_EPOCH": str(when), "E2FSPROGS_FAKE_TIME": str(when)}
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BuildError(f"{words[0]} is not installed; install what guest/packages.txt lists") from None
    except subprocess.CalledProcessError as failed:
        raise BuildError(f"{' '.join(words)} failed: {failed.stderr.strip() or failed.stdout.strip()}") from None
    return done.stdout


def fetch(folder: Path) -> dict[str, str]:
    """Download and unpack every package into ``folder``/root; returns package name -> version."""
    kernel = _real_kernel()
    debs, root = folder / "debs", folder / "root"
    for stale in (debs, root):
        shutil.rmtree(stale, ignore_errors=True)
        stale.mkdir(parents=True)
    # apt drops to the user _apt, who may not write into a private build folder.
    sandbox = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
    run("apt-get", "-qq", *sandbox, "download", kernel, *USERLAND, cwd=debs)
    versions = {}
    for deb in sorted(debs.glob("*.deb")):
        run("dpkg-deb", "-x", deb, root)
        name, version = run("dpkg-deb", "-W", "--showformat=${Package} ${Version}", deb).split()
        versions[name] = version
    shutil.rmtree(debs)
    return versions


def _real_kernel() -> str:
    """The versioned package behind Debian's cloud kernel metapackage."""
    for line in run("apt-cache", "depends", KERNEL).splitlines():
        relation, _, name = line.strip().partition(": ")
        if relation == "Depends" and name.startswith("linux-image-"):
            return name
    raise BuildError(f"apt knows no {KERNEL}: run apt-get update on Debian 12 for amd64")
