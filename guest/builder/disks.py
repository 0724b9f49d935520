"""Disk images written without mounting any: mke2fs and debugfs for ext4, mtools and syslinux for the boot partition."""

from __future__ import annotations

import os
import shutil
import stat
import struct
from pathlib import Path

from builder.cpio import Tree
from builder.packages import run

MIB = 1024 * 1024
ROOT_LABEL = "kilonova-root"
KERNEL_ARGUMENTS = "quiet console=tty0 console=ttyS0,115200n8"
# Fixed, since a random one would make every build differ.
_UUID = "6b696c6f-6e6f-4761-8000-67756573740a"
_BOOT_START, _BOOT_SIZE, _ROOT_SIZE = 1 * MIB, 32 * MIB, 32 * MIB
_MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")
_ISOLINUX = Path("/usr/lib/ISOLINUX/isolinux.bin")
_LDLINUX = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")


def write_root(image: Path, tree: Tree, staging: Path, when: int) -> None:
    """The tree as an ext4 file system, able to grow online to 1 TiB."""
    _stage(tree, staging)
    image.write_bytes(b"")
    os.truncate(image, _ROOT_SIZE)
    growth = f"resize={1024**4 // 4096},hash_seed={_UUID},lazy_itable_init=0,nodiscard,root_owner=0:0"
    layout = ("-b", "4096", "-N", "2048", "-m", "0", "-J", "size=4")
    names = ("-L", ROOT_LABEL, "-U", _UUID)
    run("mke2fs", "-q", "-F", "-t", "ext4", *layout, *names, "-E", growth, "-d", staging, image, when=when)
    # mke2fs copies owner and change time from the staging folder, which belong to whoever builds, whenever.
    script = staging.with_suffix(".debugfs")
    script.write_text("".join(_inode_fixes(path, when) for path in ("", *sorted(tree)) if _staged(tree, path)))
    run("debugfs", "-w", "-f", script, image, when=when)


def write_boot_disk(qcow2: Path, files: dict[str, Path], staging: Path, when: int) -> None:
    """A BIOS disk: syslinux with ``vmlinuz`` and ``initrd`` in partition 1, the ext4 image ``rootfs.img`` in partition 2."""
    boot, raw = staging / "boot.fat", staging / "disk.raw"
    _write_boot_partition(boot, files, staging, when)
    start = _BOOT_START + _BOOT_SIZE
    with raw.open("wb") as disk:
        disk.write(_MBR.read_bytes().ljust(440, b"\0") + b"KLNV\0\0")
        disk.write(_partition(0x80, 0x0E, _BOOT_START, _BOOT_SIZE) + _partition(0, 0x83, start, _ROOT_SIZE))
        disk.write(bytes(32) + b"\x55\xaa")
        for offset, part in ((_BOOT_START, boot), (start, files["rootfs.img"])):
            disk.seek(offset)
            disk.write(part.read_bytes())
    run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, qcow2)


def write_iso(iso: Path, files: dict[str, Path], staging: Path, when: int) -> None:
    """A bootable CD image that runs from its ramdisk."""
    folder = staging / "iso"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for source in (files["vmlinuz"], files["initrd"], _ISOLINUX, _LDLINUX):
        shutil.copy(source, folder / source.name)
    (folder / "isolinux.cfg").write_text(_boot_menu(KERNEL_ARGUMENTS))
    for path in (*folder.iterdir(), folder):
        os.utime(path, (when, when))
    boot = ("-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table")
    run("xorriso", "-as", "mkisofs", "-quiet", "-V", "KILONOVA", "-r", *boot, "-o", iso, folder, when=when)


def _write_boot_partition(image: Path, files: dict[str, Path], staging: Path, when: int) -> None:
    image.write_bytes(b"")
    os.truncate(image, _BOOT_SIZE)
    config = staging / "syslinux.cfg"
    config.write_text(_boot_menu(f"root=LABEL={ROOT_LABEL} {KERNEL_ARGUMENTS}"))
    sectors = ("-T", str(_BOOT_SIZE // 512), "-h", "64", "-s", "32", "-H", str(_BOOT_START // 512))
    run("mformat", "-i", image, *sectors, "-N", "4b4c4e56", "-v", "KILONOVA", "::", when=when)
    run("syslinux", "--install", image, when=when)
    for name, source in (("vmlinuz", files["vmlinuz"]), ("initrd", files["initrd"]), ("syslinux.cfg", config)):
        run("mcopy", "-i", image, source, f"::{name}", when=when)


def _boot_menu(arguments: str) -> str:
    return f"DEFAULT kilonova\nPROMPT 0\nTIMEOUT 0\nLABEL kilonova\n  KERNEL vmlinuz\n  INITRD initrd\n  APPEND {arguments}\n"


def _partition(flag: int, kind: int, start: int, size: int) -> bytes:
    """An MBR entry by sector number; the head-and-cylinder fields say "too far" as every disk of today does."""
    far = b"\xfe\xff\xff"
    return bytes([flag]) + far + bytes([kind]) + far + struct.pack("<II", start // 512, size // 512)


def _staged(tree: Tree, path: str) -> bool:
    """Whether a path goes on disk: devices do not, the kernel makes them in /dev."""
    return path == "" or not stat.S_ISCHR(tree[path].mode)


def _stage(tree: Tree, staging: Path) -> None:
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for path in filter(lambda path: _staged(tree, path), sorted(tree)):
        entry, target = tree[path], staging / path
        if stat.S_ISDIR(entry.mode):
            target.mkdir()
        elif stat.S_ISLNK(entry.mode):
            target.symlink_to(entry.data.decode())
        else:
            target.write_bytes(entry.data)
        if not stat.S_ISLNK(entry.mode):
            target.chmod(stat.S_IMODE(entry.mode))


def _inode_fixes(path: str, when: int) -> str:
    owner = "".join(f'set_inode_field "/{path}" {field} 0\n' for field in ("uid", "gid"))
    times = "".join(f'set_inode_field "/{path}" {field} @{when}\n' for field in ("atime", "ctime", "mtime", "crtime"))
    return owner + times
