"""The machine itself: processors, memory, disk, Python, the port, and who is asking."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from kilonova.cli import ports, process
from kilonova.cli.doctor.finding import FAIL, PASS, WARN, Finding
from kilonova.settings import CloudSettings

_PYTHON = (3, 11)
_MIB, _GIB = 1 << 20, 1 << 30
_SIM_MIB, _REAL_MIB = 256, 1024  # of memory that is free for use
_SIM_DISK_GIB, _REAL_DISK_GIB = 0.2, 5.0


def check_machine(settings: CloudSettings) -> Iterator[Finding]:
    """Everything that needs no program to find out. `settings`: of the cloud that is here, or would be."""
    yield python(sys.version_info[:2])
    yield privileges(os.geteuid())
    yield processors(len(os.sched_getaffinity(0)))
    yield memory(Path("/proc/meminfo").read_text())
    yield disk(settings.data_dir)
    yield port(settings)


def python(version: tuple[int, int]) -> Finding:
    """New enough."""
    said = f"Python {version[0]}.{version[1]}"
    if version >= _PYTHON:
        return Finding("python", PASS, said)
    why = f"Kilonova needs {_PYTHON[0]}.{_PYTHON[1]} or newer"
    return Finding("python", FAIL, said, why, "apt-get install -y python3.11", for_all=True)


def privileges(user_id: int) -> Finding:
    """Root, for real servers."""
    if user_id == 0:
        return Finding("root", PASS, "running as root")
    return Finding(
        "root", FAIL, "not running as root", "real servers need bridges, taps and libvirt", "sudo kilonova doctor"
    )


def processors(count: int) -> Finding:
    """How many this process may use."""
    said = f"{count} processor{'s' if count > 1 else ''}"
    if count > 1:
        return Finding("cpu", PASS, said)
    return Finding("cpu", WARN, said, "the cloud and its guests share one", "give this machine two or more")


def memory(meminfo: str) -> Finding:
    """What is free for use, from /proc/meminfo."""
    amounts = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in meminfo.splitlines() if ":" in line}
    free, total = amounts.get("MemAvailable", 0), amounts.get("MemTotal", 0)
    return _enough("memory", free, _SIM_MIB, _REAL_MIB, f"{free} of {total} MiB of memory free")


def disk(data_dir: Path) -> Finding:
    """What is free where the cloud lives or would live."""
    there = next(path for path in (data_dir, *data_dir.parents) if path.is_dir())
    free = shutil.disk_usage(there).free / _GIB
    said = f"{free:.1f} GiB free for {data_dir}"
    if not os.access(there, os.W_OK):
        remedy = "kilonova up --data-dir ANOTHER"
        return Finding("disk", FAIL, f"{data_dir} cannot be written", f"{there} is not ours", remedy, for_all=True)
    return _enough("disk", free, _SIM_DISK_GIB, _REAL_DISK_GIB, said)


def port(settings: CloudSettings) -> Finding:
    """Free, or the cloud's own."""
    if process.running(settings.data_dir) is not None:
        return Finding("port", PASS, f"the cloud is up at {settings.base_url}")
    why = ports.why_not_free(settings.host, settings.port)
    if why is None:
        return Finding("port", PASS, f"port {settings.port} is free")
    return Finding("port", WARN, f"port {settings.port} cannot be listened on", why, "kilonova up --port ANOTHER")


def _enough(ident: str, free: float, for_sim: float, for_real: float, said: str) -> Finding:
    if free >= for_real:
        return Finding(ident, PASS, said)
    remedy = "kilonova down --purge of clouds you no longer need, or a larger machine"
    if free >= for_sim:
        return Finding(ident, WARN, said, "little for real servers", remedy)
    return Finding(ident, FAIL, said, "too little for any cloud", remedy, for_all=True)
