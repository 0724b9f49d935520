"""The guest's file tree: our own files, busybox, dropbear, resize2fs, and the few kernel modules they need."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from builder.cpio import Entry, Tree, file, folder, link
from builder.packages import BuildError, run

# In the order in which they are loaded: bus, disks, network, file systems of config drives, power button.
MODULES = (
    *("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "virtio_balloon"),
    *("virtio_scsi", "ata_piix", "sd_mod", "sr_mod"),
    *("isofs", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8"),
    *("button", "evdev"),
)
PROGRAMS = {
    "bin/busybox": "bin/busybox",
    "bin/dropbear": "usr/sbin/dropbear",
    "bin/dropbearkey": "usr/bin/dropbearkey",
    "bin/resize2fs": "sbin/resize2fs",
}
LIBRARIES = (
    *("ld-linux-x86-64.so.2", "libc.so.6", "libresolv.so.2", "libcrypt.so.1", "libz.so.1"),
    *("libtomcrypt.so.1", "libtommath.so.1", "libgmp.so.10"),
    *("libext2fs.so.2", "libe2p.so.2", "libcom_err.so.2"),
)
FOLDERS = ("bin", "dev", "etc", "home", "lib", "mnt", "newroot", "proc", "root", "run", "sys", "tmp", "usr", "var")


def kernel(root: Path) -> tuple[str, bytes]:
    """The unpacked kernel: its version and its image."""
    (image,) = (root / "boot").glob("vmlinuz-*")
    return image.name.removeprefix("vmlinuz-"), image.read_bytes()


def guest_tree(root: Path, files: Path) -> Tree:
    """Everything in the guest, from the unpacked packages in ``root`` and our own ``files``."""
    tree: Tree = {name: folder() for name in FOLDERS}
    tree |= {"root": folder(0o700), "tmp": folder(0o1777), "home/kilonova": folder()}
    tree |= {"sbin": link("bin"), "lib64": link("lib"), "usr/bin": link("../bin"), "usr/sbin": link("../bin")}
    tree["dev/console"] = Entry(stat.S_IFCHR | 0o600, device=(5, 1))
    for target, source in PROGRAMS.items():
        tree[target] = file((root / source).read_bytes(), 0o755)
    for name in LIBRARIES:
        tree[f"lib/{name}"] = file(_library(root, name), 0o755)
    for applet in run(root / "bin/busybox", "--list").split():
        tree.setdefault(f"bin/{applet}", link("busybox"))
    tree |= _modules(root)
    for path in files.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            tree[str(path.relative_to(files))] = file(data, 0o755 if data.startswith(b"#!") else 0o644)
    return _with_parents(tree)


def _library(root: Path, name: str) -> bytes:
    for place in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"):
        path = root / place / name
        if path.is_symlink() or path.exists():
            return path.read_bytes()
    raise BuildError(f"no package holds {name}; its name or place has changed: see LIBRARIES in guest/builder/tree.py")


def _modules(root: Path) -> Tree:
    """The modules with all they depend on, and the index that modprobe reads."""
    version, _ = kernel(root)
    base = root / "lib/modules" / version
    known = {path.stem.replace("-", "_"): path for path in (base / "kernel").rglob("*.ko")}
    chosen: dict[str, list[str]] = {}
    for name in MODULES:
        _add_module(name.replace("-", "_"), known, chosen)
    tree: Tree = {}
    index = ""
    for name, needed in chosen.items():
        inside = known[name].relative_to(base)
        tree[f"lib/modules/{version}/{inside}"] = file(known[name].read_bytes())
        index += f"{inside}: {' '.join(str(known[other].relative_to(base)) for other in reversed(needed))}\n"
    tree[f"lib/modules/{version}/modules.dep"] = file(index.encode())
    tree["etc/modules"] = file("".join(f"{name}\n" for name in MODULES).encode())
    return tree


def _add_module(name: str, known: dict[str, Path], chosen: dict[str, list[str]]) -> list[str]:
    """Add a module after those it needs; returns all of them, in load order."""
    if name not in known:
        raise BuildError(f"the kernel package has no module {name}: see MODULES in guest/builder/tree.py")
    if name not in chosen:
        found = re.search(rb"\0depends=([^\0]*)\0", known[name].read_bytes())
        direct = [word.replace("-", "_") for word in (found[1].decode().split(",") if found else []) if word]
        needed: list[str] = []
        for other in direct:
            needed += [each for each in (*_add_module(other, known, chosen), other) if each not in needed]
        chosen[name] = needed
    return chosen[name]


def _with_parents(tree: Tree) -> Tree:
    for path in list(tree):
        for parent in Path(path).parents:
            if str(parent) != ".":
                tree.setdefault(str(parent), folder())
    return tree
