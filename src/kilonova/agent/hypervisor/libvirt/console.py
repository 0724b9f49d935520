"""The end of a server's console log."""

from __future__ import annotations

from pathlib import Path

from kilonova.agent.hypervisor.libvirt.layout import InstanceDir

MAX_BYTES = 100 * 1024


def console_tail(folder: InstanceDir, lines: int | None) -> str:
    """The last `lines` lines of at most 100 KiB of log. What is not UTF-8 is marked; NULs go."""
    kept = b""
    # virtlogd turns the log over when it is full, the newest of the old ones being `.0`.
    for path in (folder.console_log, folder.console_log.with_name("console.log.0")):
        kept = _end(path, MAX_BYTES - len(kept)) + kept
    text = kept.decode(errors="replace").replace("\0", "")
    if lines is None:
        return text
    return "".join(text.splitlines(keepends=True)[-lines:]) if lines > 0 else ""


def _end(path: Path, size: int) -> bytes:
    if size <= 0 or not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read(size)
