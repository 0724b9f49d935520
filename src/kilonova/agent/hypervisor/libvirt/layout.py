"""Where the driver keeps things. The names here are the whole of what it leaves on a host's file system."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kilonova.domain.machine import DiskSpec


class InstanceDir(msgspec.Struct, frozen=True):
    """The files of one server."""

    path: Path

    @property
    def spec(self) -> Path:
        """What the server is to be, and how far that has come: `records.py`."""
        return self.path / "spec.json"

    @property
    def console_log(self) -> Path:
        """The first serial port's log; virtlogd turns it over to `console.log.0` and so on."""
        return self.path / "console.log"

    @property
    def config_drive(self) -> Path:
        """The config drive's iso9660."""
        return self.path / "config.iso"

    @property
    def kernel(self) -> Path:
        """The kernel QEMU starts, when it does."""
        return self.path / "kernel"

    @property
    def ramdisk(self) -> Path:
        """The ramdisk beside it."""
        return self.path / "ramdisk"

    def disk(self, disk: DiskSpec) -> Path:
        """A disk's file: `root`, `ephemeral0`, `swap0`..."""
        return self.path / ("root" if disk.kind == "root" and disk.index == 0 else f"{disk.kind}{disk.index}")


class Layout(msgspec.Struct, frozen=True):
    """The folders under a data directory."""

    data_dir: Path

    @property
    def images(self) -> Path:
        """The image cache."""
        return self.data_dir / "images"

    @property
    def instances(self) -> Path:
        """A folder a server."""
        return self.data_dir / "instances"

    @property
    def removed(self) -> Path:
        """A file for each server that was removed lately, holding the generation of the command that did."""
        return self.data_dir / "removed"

    @property
    def daemons(self) -> Path:
        """The pid files of the daemons we have started."""
        return self.data_dir / "daemons"

    @property
    def verdict(self) -> Path:
        """Whether KVM works here."""
        return self.data_dir / "accelerator.json"

    def instance(self, server_id: str) -> InstanceDir:
        """The folder of one server."""
        return InstanceDir(self.instances / server_id)
