"""The smallest ramdisk that proves that a machine runs guests: an init that says so and switches the power off."""

from __future__ import annotations

import struct

from builder.cpio import Tree, archive, file

MARKER = b"kilonova-probe: ok\n"
_BASE = 0x400000
_HEADERS = 64 + 56


def probe_initrd(when: int) -> bytes:
    """A ramdisk under 1 KiB; its kernel needs no module, only ``console=ttyS0``."""
    tree: Tree = {"init": file(_program(), 0o755)}
    return archive(tree, when)


def _program() -> bytes:
    """A static ELF executable: write(1, MARKER), then reboot(POWER_OFF)."""
    code_size = 52
    text = _BASE + _HEADERS + code_size
    code = b"".join(
        (
            b"\xb8\x01\0\0\0" + b"\xbf\x01\0\0\0",  # eax = write, edi = standard output
            b"\xbe" + struct.pack("<I", text),  # esi = the marker's address
            b"\xba" + struct.pack("<I", len(MARKER)),  # edx = its length
            b"\x0f\x05",  # syscall
            b"\xb8\xa9\0\0\0",  # eax = reboot
            b"\xbf\xad\xde\xe1\xfe" + b"\xbe\x69\x19\x12\x28",  # edi, esi = its two magic numbers
            b"\xba\xdc\xfe\x21\x43",  # edx = LINUX_REBOOT_CMD_POWER_OFF
            b"\x0f\x05" + b"\xf4\xeb\xfe",  # syscall; never reached: hlt, loop
        )
    )
    code = code.ljust(code_size, b"\x90")
    size = _HEADERS + len(code) + len(MARKER)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    elf = struct.pack("<16sHHIQQQIHHHHHH", identity, 2, 62, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return elf + load + code + MARKER
