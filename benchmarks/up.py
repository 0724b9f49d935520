"""`kilonova up --sim`, as a person types it: how long until the API answers, and what the idle cloud holds."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.section import Section, at_most
from benchmarks.simcloud import free_port

_KILONOVA = Path(sys.executable).with_name("kilonova")
_IDLE_S = 10.0


def main(*, quick: bool = False) -> Section:
    """First a cloud that does not exist yet (schema, keys, passwords), then the same one again."""
    with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as folder:
        cold = _up_and_down(Path(folder), idle_s=0.0)
        again = _up_and_down(Path(folder), idle_s=2.0 if quick else _IDLE_S)
    return Section(
        what="`kilonova up --sim --hosts 1`, all in one process: to the API answering, and its memory when idle",
        how="from starting the command to the first answer of GET /kilonova/v1/health, asked for every 10 ms; resident "
        f"memory and processor time of the cloud's process after {2 if quick else 10} s of rest",
        figures=[
            at_most("first_start", cold["answers_s"], "s", 3),
            at_most("second_start", again["answers_s"], "s", 3),
            at_most("idle_memory", again["resident_mb"], "MB", 150),
        ],
        detail={"first": cold, "second": again},
    )


def _up_and_down(folder: Path, *, idle_s: float) -> dict[str, float]:
    data_dir, port = folder / "cloud", free_port()
    env = os.environ | {"OS_CLIENT_CONFIG_FILE": str(folder / "clouds.yaml"), "KILONOVA_DATA_DIR": str(data_dir)}
    began = time.perf_counter()
    with subprocess.Popen(
        [_KILONOVA, "up", "--sim", "--hosts", "1", "--port", str(port)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as up:  # fmt: skip
        try:
            answers_s = _until_it_answers(port, began, up)
            said, _ = up.communicate()
            returned_s = time.perf_counter() - began
            if up.returncode != 0:
                raise RuntimeError(said.decode())
            pid = int((data_dir / "kilonova.pid").read_text().split()[0])
            cpu = _cpu_s(pid)
            time.sleep(idle_s)
            idle = (_cpu_s(pid) - cpu) / idle_s * 100 if idle_s else 0.0
            resident_mb = _resident_mb(pid)
        finally:
            subprocess.run([_KILONOVA, "down"], env=env, check=True, capture_output=True)
    figures = {
        "answers_s": answers_s,
        "command_returns_s": returned_s,
        "resident_mb": resident_mb,
        "idle_cpu_pct": idle,
    }
    return {name: round(value, 2) for name, value in figures.items()}


def _until_it_answers(port: int, began: float, up: subprocess.Popen[bytes]) -> float:
    while time.perf_counter() - began < 60.0:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/kilonova/v1/health")
            if connection.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            if up.poll():
                raise RuntimeError(up.communicate()[0].decode()) from None
            time.sleep(0.01)
        finally:
            connection.close()
    raise RuntimeError("the cloud did not answer within a minute")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
