"""What the guest is made of, and the kernel's ramdisk format (cpio "newc") written from it."""

from __future__ import annotations

import stat
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One file, folder, link or device of the guest, always owned by root.

    ``mode`` holds type and permissions as in ``st_mode``; ``data`` is a file's content or a link's target.
    """

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


Tree = dict[str, Entry]


def folder(permissions: int = 0o755) -> Entry:
    return Entry(stat.S_IFDIR | permissions)


def file(data: bytes, permissions: int = 0o644) -> Entry:
    return Entry(stat.S_IFREG | permissions, data)


def link(target: str) -> Entry:
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def archive(tree: Tree, when: int) -> bytes:
    """The tree as a newc archive; ``when`` (seconds since 1970) stamps every entry, so equal trees give equal bytes."""
    # Sorting puts every folder before what it holds, as the kernel needs.
    parts = [_record(path, tree[path], number, when) for number, path in enumerate(sorted(tree), 1)]
    parts.append(_record("TRAILER!!!", Entry(0), 0, 0))
    return b"".join(parts)


def _record(path: str, entry: Entry, number: int, when: int) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, when, len(entry.data), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
