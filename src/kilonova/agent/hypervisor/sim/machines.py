"""What a simulated host has on it, kept in an append-only file so that it survives the process as real machines would."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from kilonova.domain.report import Observed
from kilonova.domain.server import PowerState
from kilonova.private import ensure_folder

_COMPACT_AFTER = 4096  # lines in the file beyond twice what is remembered
_REMEMBER = 10_000  # removed machines whose generation is kept


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine; `removed` ones are remembered for their generation only, which is of `epoch`."""

    server_id: str
    generation: int
    epoch: str = ""
    power_state: PowerState
    console: str = ""
    guest_name: str = ""  # of what the guest may read: its server's name, as last told
    removed: bool = False


_decoder = msgspec.json.Decoder(Machine)


class Machines:
    """The machines of one host, by server id. `directory` None: in memory alone."""

    def __init__(self, directory: Path | None) -> None:
        self._path = None if directory is None else directory / "machines.jsonl"
        self._machines: dict[str, Machine] = {}
        self._lines = 0
        self._lock = threading.Lock()
        if self._path is not None:
            ensure_folder(self._path.parent)
            self._load(self._path)

    def get(self, server_id: str) -> Machine | None:
        """A machine that is there."""
        machine = self._machines.get(server_id)
        return None if machine is None or machine.removed else machine

    def put(self, machine: Machine) -> None:
        """Make or change one."""
        with self._lock:
            self._machines[machine.server_id] = machine
            self._append(machine)

    def remove(self, server_id: str, generation: int, epoch: str) -> None:
        """Remove one, and remember at which generation."""
        gone = PowerState.NOSTATE
        self.put(Machine(server_id=server_id, generation=generation, epoch=epoch, power_state=gone, removed=True))

    def all_down(self) -> None:
        """None runs any more."""
        for machine in list(self._machines.values()):
            if not machine.removed:
                self.put(msgspec.structs.replace(machine, power_state=PowerState.SHUTDOWN))

    def purge(self) -> None:
        """Forget all, on the disk too."""
        self._machines.clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def observed(self) -> list[Observed]:
        """All that are there."""
        return [
            Observed(server_id=m.server_id, power_state=m.power_state, generation=m.generation)
            for m in list(self._machines.values())
            if not m.removed
        ]

    def _load(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        lines = data.splitlines()
        for line in lines:
            try:
                machine = _decoder.decode(line)
            except msgspec.DecodeError:
                continue  # the line a kill -9 cut short: that command was never reported as done
            self._machines[machine.server_id] = machine
        self._lines = len(lines)
        if data and not data.endswith(b"\n"):
            self._compact(path)

    def generations(self, epoch: str) -> dict[str, int]:
        """The generation of each that has one of this epoch, removed ones too."""
        return {
            server_id: machine.generation for server_id, machine in self._machines.items() if machine.epoch == epoch
        }

    def _append(self, machine: Machine) -> None:
        if self._path is None:
            return
        self._lines += 1
        if self._lines > _COMPACT_AFTER + 2 * len(self._machines):
            self._compact(self._path)
            return
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(machine) + b"\n")

    def _compact(self, path: Path) -> None:
        removed = [server_id for server_id, machine in self._machines.items() if machine.removed]
        for server_id in removed[:-_REMEMBER]:
            del self._machines[server_id]
        part = path.with_suffix(".part")
        part.write_bytes(b"".join(msgspec.json.encode(m) + b"\n" for m in self._machines.values()))
        part.replace(path)
        self._lines = len(self._machines)
