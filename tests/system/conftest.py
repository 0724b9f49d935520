"""A real cloud with real guests, one for each module that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.place import Lab
from tests.realcloud import RealCloud
from tests.system.guests import Guests, settings


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    """In a lab, where the test then is too: its sockets and commands see the lab's network."""
    with Lab() as lab, lab.inside(), RealCloud(lab, settings()) as cloud:
        cloud.start()
        yield Guests(lab, cloud, Path(tmp_path_factory.mktemp("key")))
