"""
qemu-img, on a leash: bounded memory, processor time and wall time, and never left to guess a format.

Where the disk is full it raises OSError, as whoever writes there does.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kilonova.agent.images.space import check_said

_MEMORY_BYTES = 1 << 30
_CPU_S = 600
_TIMEOUT_S = 1800


class QemuImgFailed(Exception):
    """qemu-img said no; the text is its last line, without a path of the host."""


def create_overlay(path: Path, *, base: Path, base_format: str, size: int) -> None:
    """A qcow2 at `path` of `size` bytes that holds what differs from `base`."""
    _run("create", "-q", "-f", "qcow2", "-F", base_format, "-b", str(base), str(path), str(size))


def convert_to_raw(source: Path, path: Path) -> None:
    """A sparse flat copy at `path` of the qcow2 `source`."""
    _run("convert", "-f", "qcow2", "-O", "raw", "-t", "writeback", str(source), str(path))


def check_qcow2(path: Path) -> None:
    """Raise QemuImgFailed when the qcow2's tables are damaged or cut off; leaked clusters are harmless."""
    _run("check", "-q", "-f", "qcow2", str(path), accept=(0, 3))


def _run(verb: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> None:
    limits = ["prlimit", f"--as={_MEMORY_BYTES}", f"--cpu={_CPU_S}", "--"]
    command = [*limits, "qemu-img", verb, *arguments]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise QemuImgFailed(f"qemu-img {verb} took longer than {_TIMEOUT_S} s") from late
    if done.returncode not in accept:
        check_said(done.stderr)
        said = (done.stderr or done.stdout).strip().splitlines()
        raise QemuImgFailed(
            f"qemu-img {verb}: {_without_paths(said[-1] if said else f'ended with {done.returncode}', arguments)}"
        )


def _without_paths(text: str, arguments: tuple[str, ...]) -> str:
    for argument in arguments:
        if argument.startswith("/"):
            text = text.replace(argument, "the image")
    return text
