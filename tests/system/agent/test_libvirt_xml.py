"""Every golden domain is one that libvirt's own schema and parser accept."""

from __future__ import annotations

import uuid
from pathlib import Path

import libvirt
import pytest

from kilonova.agent.hypervisor.libvirt.libvirtd import Daemons
from tests.facts import REPOSITORY
from tests.unit.agent.hypervisor.libvirt.machines import SERVER

GOLDEN = REPOSITORY / "tests" / "unit" / "agent" / "hypervisor" / "libvirt" / "golden"
_UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_NVRAM


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.xml")), ids=lambda path: path.stem)
def test_libvirt_accepts_it(golden: Path, tmp_path: Path) -> None:
    server = str(uuid.uuid4())
    # Under emulation, so that a machine without KVM can judge it too.
    text = golden.read_text().replace(SERVER, server).replace("instance-0000002a", f"kntest-{server[:8]}")
    text = text.replace('<domain type="kvm">', '<domain type="qemu">').replace("host-model", "maximum")
    daemons = Daemons(tmp_path, "qemu:///system", may_start=True)
    connection = daemons.connect()
    try:
        domain = connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        domain.undefineFlags(_UNDEFINE)
    finally:
        connection.close()
        daemons.stop()
