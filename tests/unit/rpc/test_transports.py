from __future__ import annotations

import pytest

from kilonova.domain.errors import Rejected
from kilonova.rpc.amqp import AmqpBus
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.transports import make_bus


def test_a_url_names_the_transport() -> None:
    assert isinstance(make_bus("memory://"), InProcessBus)
    for scheme in ("amqp", "amqps"):
        bus = make_bus(f"{scheme}://guest:guest@127.0.0.1:1/none")
        assert isinstance(bus, AmqpBus)
        bus.close()


@pytest.mark.parametrize("url", ["", "nothing", "redis://here", "http://user:secret@here"])
def test_another_scheme_is_refused_without_showing_the_url(url: str) -> None:
    with pytest.raises(Rejected, match="There is no bus") as refused:
        make_bus(url)
    assert "memory://" in refused.value.next_step
    assert "secret" not in str(refused.value)
