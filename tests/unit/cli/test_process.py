from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kilonova.cli import ports, process
from kilonova.cli.errors import CliError

CLAIMS = """
import sys
from pathlib import Path
from kilonova.cli import process
process.claim(Path(sys.argv[1]))
print("claimed", flush=True)
sys.stdin.read()
"""


def test_nobody_runs_what_was_never_started(tmp_path: Path) -> None:
    assert process.running(tmp_path) is None
    assert process.stop(tmp_path, 1.0) is False
    assert process.log_tail(tmp_path) == ""


def test_a_claim_is_seen_refuses_another_and_ends_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIMS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"claimed\n"
        assert process.running(tmp_path) == other.pid
        with pytest.raises(CliError, match="Another process"):
            process.claim(tmp_path)
        assert process.stop(tmp_path, 10.0) is True
        assert process.running(tmp_path) is None
    os.close(process.claim(tmp_path))


@pytest.mark.parametrize(
    "text",
    ["", "x", "1 0 other-boot", f"{os.getpid()} 1 other-boot", "4194304 5 b"],
    ids=["empty", "junk", "init", "us", "nobody"],  # a name with a pid in it would differ between test workers
)
def test_a_number_that_is_somebody_elses_is_not_taken_for_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "kilonova.pid").write_text(text)
    assert process.running(tmp_path) is None
    assert process.stop(tmp_path, 1.0) is False


def test_the_log_is_told_by_its_end(tmp_path: Path) -> None:
    process.log_file(tmp_path).write_text("\n".join(str(n) for n in range(9000)))
    assert process.log_tail(tmp_path, 2) == "8998\n8999"


def test_a_port_in_use_is_told_by_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        why = ports.why_not_free("127.0.0.1", port)
        assert why is not None
        assert f"(pid {os.getpid()})" in why
    assert ports.why_not_free("127.0.0.1", port) is None
    assert ports.why_not_free("203.0.113.1", 1) is not None
