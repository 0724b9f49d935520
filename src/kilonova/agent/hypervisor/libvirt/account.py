"""
The user that QEMU runs as, and whether it gets to its disks.

libvirt says which (its qemu.conf decides). It gives QEMU each disk as it starts a machine; the folders on the way, and images
that several machines share, are ours to open: to QEMU's group, and to nobody else.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import libvirt
import msgspec

from kilonova.domain.errors import Rejected


class QemuAccount(msgspec.Struct, frozen=True):
    """Numbers of a user and of its group."""

    uid: int
    gid: int


def qemu_account(connection: libvirt.virConnect) -> QemuAccount:
    """What libvirt starts machines as; ourselves, when it does not change users."""
    host = ET.fromstring(connection.getCapabilities())  # noqa: S314 - libvirt wrote it
    label = host.findtext("host/secmodel[model='dac']/baselabel") or ""
    uid, _, gid = label.partition(":")
    if not uid or not gid:
        return QemuAccount(os.geteuid(), os.getegid())
    return QemuAccount(int(uid), int(gid))  # libvirt writes +64055:+108


def require_passage(folder: Path, account: QemuAccount) -> None:
    """Raise Rejected when that user cannot get to `folder`: no machine would start. Only root can find out, and need."""
    if os.geteuid() != 0 or _passes(folder, account):
        return
    for step in reversed((folder, *folder.parents)):
        if not _passes(step, account):
            raise Rejected(
                f"The hypervisor's user cannot pass through {step} to its disks",
                next_step=f"Use a data directory outside it, such as /var/lib/kilonova, or: chmod o+x {step}",
            )


def _passes(folder: Path, account: QemuAccount) -> bool:
    done = subprocess.run(
        ["test", "-x", folder],
        check=False,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
    )
    return done.returncode == 0
