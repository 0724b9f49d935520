"""What makes real machines: programs, libvirt, the tiny guest, and whether KVM works, learnt by running that guest."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from kilonova.cli.doctor.finding import FAIL, PASS, WARN, Finding
from kilonova.cli.doctor.programs import emulator, find_program, packages

_LIBVIRT_SOCKET = Path("/run/libvirt/libvirt-sock")
_SLOWER = "servers are emulated, five to twenty times slower"


def check_hypervisor(guest: Path | None) -> Iterator[Finding]:
    """Each program with the package that has it, then libvirt, then KVM. `guest`: where the tiny guest is."""
    for program, package in packages().items():
        yield installed(program, package)
    yield libvirt_python(there=find_spec("libvirt") is not None)
    yield libvirtd(
        answers=_answers(_LIBVIRT_SOCKET), startable=os.geteuid() == 0 and find_program("libvirtd") is not None
    )
    yield guest_image(guest)
    yield kvm(guest)


def installed(program: str, package: str) -> Finding:
    """A program."""
    where = find_program(program)
    if where is not None:
        return Finding(program, PASS, f"{program} is {where}")
    return Finding(
        program, FAIL, f"{program} is not installed", "real servers need it", f"apt-get install -y {package}"
    )


def libvirt_python(*, there: bool) -> Finding:
    """The binding, which is built against the machine's libvirt and so comes apart from us."""
    if there:
        return Finding("libvirt-python", PASS, "Python's libvirt binding is installed")
    remedy = "apt-get install -y libvirt-dev pkg-config gcc python3-dev && pip install 'kilonova[libvirt]'"
    return Finding("libvirt-python", FAIL, "Python's libvirt binding is not installed", "real servers need it", remedy)


def libvirtd(*, answers: bool, startable: bool) -> Finding:
    """Running, or ours to start."""
    if answers:
        return Finding("libvirt", PASS, "libvirtd is running")
    if startable:
        return Finding("libvirt", PASS, "libvirtd is not running", "kilonova up starts it")
    return Finding(
        "libvirt", FAIL, "libvirtd is not running", "and cannot be started by us", "systemctl start libvirtd"
    )


def guest_image(guest: Path | None) -> Finding:
    """The tiny guest of the demo, whose kernel tries out KVM."""
    if guest is not None and (guest / "probe-initrd").is_file():
        return Finding("guest", PASS, f"the tiny guest is in {guest}")
    why = "the demo boots it, and its kernel shows whether KVM works"
    return Finding("guest", WARN, "the tiny guest is not built", why, "make guest   # or set KILONOVA_GUEST_DIR")


def kvm(guest: Path | None) -> Finding:
    """Run the tiny guest under KVM; a device that opens proves nothing. Bounded by the driver's own patience, 10 s."""
    from kilonova.agent.hypervisor.libvirt.accelerator import find_accelerator  # noqa: PLC0415 - real hosts only
    from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings  # noqa: PLC0415 - the same

    if find_program(emulator()) is None:
        return Finding(
            "kvm", WARN, "KVM was not tried", "QEMU is not installed", f"apt-get install -y {packages()[emulator()]}"
        )
    if guest is None:
        return Finding("kvm", WARN, "KVM was not tried", "there is no tiny guest to try it with", "make guest")
    with tempfile.TemporaryDirectory(prefix="kilonova-doctor-") as folder:
        place = Path(folder)
        settings = LibvirtSettings(
            data_dir=place,
            host_name=socket.gethostname(),
            probe_kernel=guest / "vmlinuz",
            probe_ramdisk=guest / "probe-initrd",
        )
        verdict = find_accelerator(settings, place / "verdict")
    if verdict.name == "kvm":
        return Finding("kvm", PASS, "KVM works", verdict.why)
    remedy = (
        "enable virtualisation in the firmware, or nested virtualisation on the machine that this one is a guest of"
    )
    return Finding("kvm", WARN, f"KVM does not work: {_SLOWER}", verdict.why, remedy)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2.0)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
