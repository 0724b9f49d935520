"""
What bits cost on their way in and out: one image over a socket, to and from a process of its own.

An upload is hashed twice (sha512, and md5 for old clients), inspected and synced to the disk. `memory_growth` is how much larger
the process ever got than it was before: it must not depend on the image's size.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import structlog
import uvicorn

from benchmarks.section import Section, at_most
from kilonova.api.framework import Policy, Rim
from kilonova.api.image import POLICIES, image_service
from kilonova.domain.clock import Ids, SystemClock
from kilonova.image.bits import FileBits
from kilonova.image.service import ImageService
from kilonova.store.database import Database
from kilonova.store.tables import metadata
from tests.apiclient import FakeAuthenticator, caller

MIB = 1024 * 1024
GROWTH_MIB = 32.0
WAIT_S = 120
HEADERS = {"X-Auth-Token": "t", "Content-Type": "application/octet-stream"}


def main(*, quick: bool = False) -> Section:
    size = 100 if quick else 300
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-m", "benchmarks.images", folder, str(listening.fileno())]
        with subprocess.Popen(command, pass_fds=[listening.fileno()]) as server:
            try:
                url = f"http://127.0.0.1:{listening.getsockname()[1]}/image/v2/images"
                return _measured(url, server.pid, size)
            finally:
                server.terminate()


def _measured(url: str, pid: int, size: int) -> Section:
    block = os.urandom(MIB)

    def bits() -> Iterator[bytes]:
        yield from (block for _ in range(size))

    with httpx2.Client(headers=HEADERS, timeout=WAIT_S) as http:
        formats = b'{"disk_format": "raw", "container_format": "bare"}'
        made = http.post(url, content=formats, headers={"Content-Type": "application/json"}).raise_for_status().json()
        before, file = _memory_mib(pid), f"{url}/{made['id']}/file"
        began = time.perf_counter()
        http.put(file, content=bits(), headers={"Content-Length": str(size * MIB)}).raise_for_status()
        uploaded = time.perf_counter()
        with http.stream("GET", file) as reply:
            assert sum(len(chunk) for chunk in reply.iter_bytes()) == size * MIB
        downloaded = time.perf_counter()
    return Section(
        what=f"an image of {size} MiB, in and out",
        how="one raw image over a socket on this machine, the client's work included",
        figures=[at_most("memory_growth", round(_memory_mib(pid) - before, 1), "MiB", GROWTH_MIB)],
        detail={
            "upload_mib_s": round(size / (uploaded - began)),
            "download_mib_s": round(size / (downloaded - uploaded)),
        },
    )


def _memory_mib(pid: int) -> float:
    """The most that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def serve(folder: Path, descriptor: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    database = Database(f"sqlite:///{folder / 'images.db'}")
    metadata.create_all(database.engine)
    service = ImageService(database=database, clock=SystemClock(), ids=Ids(), bits=FileBits(folder / "images"))
    app = Rim([image_service(service)], authenticator=FakeAuthenticator({"t": caller()}), policy=Policy(POLICIES))
    uvicorn.run(app, fd=descriptor, log_level="warning", lifespan="off", access_log=False)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
