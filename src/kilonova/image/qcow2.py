"""
Whether a qcow2 file is all there, and not made to hurt whoever opens it.

The inspection on the way in has seen its header: no backing file, no data file, no unknown feature. What it cannot see is
elsewhere in the file: tables that lie behind its end (a truncated file), tables or clusters used many times over (a small
file that unpacks to a huge one), encryption, snapshots without number. Read here with numpy and a bounded amount of memory,
in time linear in the file's size: each table is read once, however often it is named.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilonova.domain.image_format import ImageRefused
from kilonova.image.limits import ImageLimits

_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_FEATURES = struct.Struct(">Q")
_ENTRY = 8  # bytes; extended entries are an unknown feature to the inspection
_OFFSET = np.uint64(0x00FFFFFFFFFFFE00)
_COMPRESSED = np.uint64(1 << 62)
_CORRUPT = 1 << 1
_MAX_SNAPSHOTS = 1000
_MAX_L1 = 32 * 1024 * 1024 // 8  # entries; as in QEMU


class _Layout(NamedTuple):
    size: int  # of the file
    cluster: int
    l1_offset: int
    l1_entries: int


def check(path: Path, limits: ImageLimits) -> None:
    """Raise ImageRefused unless the file is whole and of reasonable contents."""
    with path.open("rb") as file:
        layout = _layout(file, path.stat().st_size)
        unpacked = 0
        for table, uses in _tables(file, layout):
            unpacked += uses * _clusters(table, layout) * layout.cluster
    if unpacked > limits.qcow2_unpacked and unpacked > limits.qcow2_expansion * layout.size:
        raise ImageRefused(f"its {layout.size} bytes unpack to {unpacked}")


def _layout(file: IO[bytes], size: int) -> _Layout:
    head = file.read(104).ljust(104, b"\0")
    _, version, _, _, bits, virtual, crypt, l1_entries, l1_offset, refs, ref_clusters, snapshots, snapshots_at = (
        _HEADER.unpack_from(head)
    )
    features = _FEATURES.unpack_from(head, _HEADER.size)[0] if version >= 3 else 0
    if crypt:
        raise ImageRefused("it is encrypted")
    if features & _CORRUPT:
        raise ImageRefused("it is marked as corrupt")
    if not 9 <= bits <= 21:
        raise ImageRefused("the size of its clusters is out of range")
    if snapshots > _MAX_SNAPSHOTS:
        raise ImageRefused(f"it has more than {_MAX_SNAPSHOTS} snapshots inside")
    cluster = 1 << bits
    if l1_entries > _MAX_L1 or l1_entries * cluster * (cluster // _ENTRY) < virtual:
        raise ImageRefused("its first table does not fit its size")
    ends = (l1_offset + 8 * l1_entries, refs + ref_clusters * cluster, snapshots_at if snapshots else 0)
    if max(ends) > size:
        raise ImageRefused(f"it is truncated: its tables end at byte {max(ends)}, and {size} bytes are there")
    return _Layout(size, cluster, l1_offset, l1_entries)


def _tables(file: IO[bytes], layout: _Layout) -> Iterator[tuple[NDArray[np.uint64], int]]:
    """Each second-level table, with how often it is named."""
    file.seek(layout.l1_offset)
    first = np.frombuffer(file.read(8 * layout.l1_entries), dtype=">u8").astype(np.uint64) & _OFFSET
    offsets, uses = np.unique(first[first != 0], return_counts=True)
    for offset, times in zip(offsets.tolist(), uses.tolist(), strict=True):
        if offset % layout.cluster or offset + layout.cluster > layout.size:
            raise ImageRefused("it is truncated or broken: one of its tables is not in the file")
        file.seek(offset)
        table = np.frombuffer(file.read(layout.cluster), dtype=">u8").astype(np.uint64)
        yield table, times


def _clusters(table: NDArray[np.uint64], layout: _Layout) -> int:
    """How many clusters a table maps; all of them must begin in the file (the last may end early)."""
    packed = (table & _COMPRESSED) != 0
    plain = table[~packed] & _OFFSET
    plain = plain[plain != 0]
    # A compressed cluster's offset has fewer bits the larger clusters are; the rest of the 62 counts sectors.
    width = 62 - (layout.cluster.bit_length() - 1 - 8)
    squeezed = table[packed] & np.uint64((1 << width) - 1)
    for offsets in (plain, squeezed):
        if offsets.size and int(offsets.max()) >= layout.size:
            raise ImageRefused("it is truncated: clusters of it lie behind its end")
    return int(plain.size + squeezed.size)
