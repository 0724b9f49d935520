"""How many descriptors a process may have, seen from within one."""

from __future__ import annotations

import resource
import subprocess
import sys

from kilonova.api.framework.connections import ConnectionLimits

RAISES = """
import resource
from kilonova.daemon.descriptors import descriptor_limit, raise_descriptor_limit
raise_descriptor_limit()
print(descriptor_limit())
"""


def after_raising(soft: int, hard: int) -> int:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    done = subprocess.run(
        [sys.executable, "-c", RAISES], preexec_fn=limited, capture_output=True, check=True, text=True
    )
    return int(done.stdout)


def test_a_process_takes_all_that_it_may_have() -> None:
    assert after_raising(256, 1000) == 1000


def test_no_more_connections_are_taken_than_there_are_descriptors_for() -> None:
    limits = ConnectionLimits(connections=4096)
    assert limits.within(1 << 16).connections == 4096
    assert 100 < limits.within(1024).connections < 1024
    assert limits.within(64).connections > 0
