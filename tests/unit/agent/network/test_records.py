from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kilonova.agent.host_network_state import tidied
from kilonova.agent.network.records import RecordFile, Records
from tests.netparts import port, share


def test_records_are_read_as_written(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "network" / "state.json")
    assert file.read() == Records()
    kept = Records(share=tidied(share(port(5, "default"))), sysctls={"net/ipv4/ip_forward": "0"})
    file.write(kept)
    assert file.read() == kept
    file.delete()
    assert list((tmp_path / "network").iterdir()) == []


def test_a_file_that_is_not_ours_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"share": 5}')
    with pytest.raises(msgspec.DecodeError):
        RecordFile(tmp_path / "state.json").read()
