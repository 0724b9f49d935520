"""
What the host keeps of its servers beside their disks: the whole specification, and the newest command carried out.

`ServerRecord.done` is the generation of that command, in its `epoch` of the control plane's records; 0 for none. The
specification is written before the first disk is made, so that whatever a crash leaves can be told to whom it belongs, and
`done` is raised when all of it is true. A removed server leaves a tombstone with its generation for a day, so that an old command
which arrives late does not bring it back.

The administrator's password is kept only until the machine has been made: then it is on the config drive and nowhere else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.images import durable
from kilonova.domain.machine import GuestData, MachineSpec
from kilonova.private import UNCHANGED, close_to_others, ensure_folder
from kilonova.rpc.commands import ServerCommand

REMEMBERED = timedelta(days=1)


class ServerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One server's record on the host."""

    spec: MachineSpec
    done: int = 0
    epoch: str = ""

    def after(self, command: ServerCommand) -> ServerRecord:
        """Once the command has been carried out; of its epoch it may not be the newest."""
        if self.epoch == command.epoch and self.done >= command.generation:
            return self
        return msgspec.structs.replace(self, done=command.generation, epoch=command.epoch)


_decoder = msgspec.json.Decoder(ServerRecord)


class ServerRecords:
    """The records of all servers on the host; `group` is QEMU's. Reading needs nothing but them."""

    def __init__(self, layout: Layout, *, group: int = UNCHANGED) -> None:
        self._layout = layout
        self._group = group

    def open(self) -> None:
        """Make the folders; before anything is written. QEMU's group passes through those above its disks, and lists none."""
        for folder in (self._layout.data_dir, self._layout.instances):
            ensure_folder(folder, group=self._group)
        ensure_folder(self._layout.removed)
        close_to_others(self._layout.data_dir.rglob("*"))
        for path in self._layout.instances.iterdir():
            ensure_folder(path, group=self._group)

    def read(self, server_id: str) -> ServerRecord | None:
        """A server's record, or None."""
        try:
            return _decoder.decode(self._layout.instance(server_id).spec.read_bytes())
        except FileNotFoundError:
            return None

    def guest(self, server_id: str) -> GuestData | None:
        """What a guest may read of itself; None when it is not here."""
        kept = self.read(server_id)
        return None if kept is None else kept.spec.guest

    def write(self, kept: ServerRecord) -> None:
        """Keep a server's record; makes its folder."""
        folder = self._layout.instance(kept.spec.server_id)
        ensure_folder(folder.path, group=self._group)
        durable.write(folder.spec, msgspec.json.encode(kept))

    def raise_done(self, command: ServerCommand) -> None:
        """The command has been carried out."""
        kept = self.read(command.server_id)
        if kept is not None and (after := kept.after(command)) != kept:
            self.write(after)

    def done(self, server_id: str, epoch: str) -> int:
        """Of this epoch, the newest generation carried out, be it that which removed the server; 0 for none."""
        kept = self.read(server_id)
        here = kept.done if kept is not None and kept.epoch == epoch else 0
        return max(here, self._buried(server_id, epoch))

    def all(self) -> dict[str, ServerRecord]:
        """Every server that has a record."""
        found = {path.name: self.read(path.name) for path in self._layout.instances.iterdir()}
        return {server_id: kept for server_id, kept in found.items() if kept is not None}

    def folders(self) -> list[str]:
        """Every server that has a folder, whatever is in it."""
        return sorted(path.name for path in self._layout.instances.iterdir())

    def leave_tombstone(self, command: ServerCommand) -> None:
        """Remember that a server was removed by this command."""
        durable.write(self._grave(command.server_id), f"{command.generation} {command.epoch}".encode())

    def generations(self, epoch: str) -> dict[str, int]:
        """Of this epoch, the newest generation seen of every server that is here, or was lately."""
        tombstones = [path.name for path in self._layout.removed.iterdir() if path.suffix != ".part"]
        found = {server_id: self.done(server_id, epoch) for server_id in (*self.folders(), *tombstones)}
        return {server_id: generation for server_id, generation in found.items() if generation}

    def forget(self, now: datetime) -> None:
        """Let go of what was removed more than a day ago."""
        for tombstone in self._layout.removed.iterdir():
            if now.timestamp() - tombstone.stat().st_mtime > REMEMBERED.total_seconds():
                tombstone.unlink(missing_ok=True)

    def _buried(self, server_id: str, epoch: str) -> int:
        try:
            generation, _, its_epoch = self._grave(server_id).read_text().partition(" ")
            return int(generation) if its_epoch == epoch else 0
        except (FileNotFoundError, ValueError):
            return 0

    def _grave(self, server_id: str) -> Path:
        return self._layout.removed / server_id
