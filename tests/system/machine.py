"""A bare QEMU machine under software emulation, for tests of what runs inside: its serial console, power button and ssh."""

from __future__ import annotations

import json
import re
import select
import shlex
import socket
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

# Four times what the slowest step takes on two busy cores.
PATIENCE_S = 90.0
_QEMU = "qemu-system-x86_64 -M pc -accel tcg -m 256 -nodefaults -display none -serial stdio -no-reboot -device virtio-rng-pci"


class Machine(AbstractContextManager["Machine"]):
    """
    A running machine; leaving the block kills it.

    `arguments` are QEMU's own; the machine has no devices but a serial port, QMP and an entropy source.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._qmp_path = folder / "qmp"
        self.output = ""
        control = ("-qmp", f"unix:{self._qmp_path},server=on,wait=off")
        self._process = subprocess.Popen(
            [*shlex.split(_QEMU), *control, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            stream.close()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of `pattern` on the serial console, which may be there already."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.output)):
            assert self._read(deadline), f"The console never said {pattern!r}. It said:\n{self.output}"
        return found

    def wait_for_end(self) -> int:
        """The exit code of QEMU, once the guest has switched the power off."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        assert time.monotonic() < deadline, f"The machine did not end. It said:\n{self.output}"
        return self._process.wait()

    def press_power_button(self) -> None:
        self._qmp("system_powerdown")

    def ssh_port(self) -> int:
        """The port on 127.0.0.1 that QEMU chose for `hostfwd=tcp:127.0.0.1:0-:22`."""
        usernet = self._qmp("human-monitor-command", **{"command-line": "info usernet"})
        found = re.search(r"HOST_FORWARD]\s+\d+\s+127\.0\.0\.1\s+(\d+)", usernet)
        assert found, usernet
        return int(found[1])

    def _read(self, deadline: float) -> bool:
        """Take what the console says next; false at its end or at the deadline."""
        stream = self._process.stdout
        assert stream
        ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
        data = stream.read1() if ready else b""  # type: ignore[attr-defined]
        self.output += data.decode(errors="replace").replace("\r", "")
        return bool(data)

    def _qmp(self, command: str, **arguments: str) -> Any:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(self._qmp_path))
            with connection.makefile("rw") as stream:
                stream.readline()
                for execute, given in (("qmp_capabilities", {}), (command, arguments)):
                    stream.write(json.dumps({"execute": execute, "arguments": given}) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        assert "error" not in answer, answer
        return answer["return"]
