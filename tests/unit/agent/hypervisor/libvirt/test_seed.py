"""What a guest stirs into its entropy pool: this host's own randomness, once per server, known to nobody else."""

from __future__ import annotations

import base64

from kilonova.agent.hypervisor.libvirt.ensure import seeded
from kilonova.agent.hypervisor.libvirt.records import ServerRecord
from tests.unit.agent.hypervisor.libvirt.machines import machine


def test_each_server_has_a_seed_of_its_own_and_keeps_it() -> None:
    first, second = seeded(machine(), None), seeded(machine(), None)
    for spec in (first, second):
        assert len(base64.b64decode(spec.guest.random_seed)) == 512
    # The same server twice: what is known of it to others does not lead to its seed.
    assert first.guest.random_seed != second.guest.random_seed
    assert seeded(machine(), ServerRecord(spec=first)).guest.random_seed == first.guest.random_seed
