"""What goes into a line, and where lines go; each in a process of its own, whose outputs it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kilonova.logs import LONGEST, LONGEST_TRACE, bound_fields

SMALL = 1 << 16


def bounded(**fields: Any) -> Any:
    return bound_fields(None, "info", dict(fields))


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "put", [lambda text: text, lambda text: [text], lambda text: {"a": {text: [text]}}, str.encode]
)
def test_no_text_is_longer_than_it_may_be(put: Any) -> None:
    told = json.dumps(bounded(path=put("x" * 60_000)))
    assert len(told) < 3 * LONGEST
    assert f"({60_000 - LONGEST} characters left out)" in told


def test_what_is_short_stays_as_it_is() -> None:
    fields = {"path": "x" * LONGEST, "ms": 1.5, "ok": True, "none": None, "many": [1, "a"], "by": {"a": 1}}
    assert bounded(**fields) == fields


def test_a_traceback_has_more_room_and_keeps_its_end() -> None:
    told = bounded(traceback="begin" + "x" * 100_000 + "the end")["traceback"]
    assert len(told) < LONGEST_TRACE + 100
    assert told.startswith("begin")
    assert told.endswith("the end")


def test_lists_and_depths_have_a_bound() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    told = bounded(many=list(range(5000)), deep=deep, things={str(i): i for i in range(5000)})
    assert len(json.dumps(told)) < 10_000
    assert told["many"][-1] == "and 4900 more"


ONE_LINE = """
from kilonova.logs import configure_logs
configure_logs()
import logging, structlog
structlog.get_logger().info("request", path="x" * 60_000)
logging.getLogger("library").warning("%s", "y" * 60_000)
"""


def test_lines_are_bounded_whoever_logs() -> None:
    lines = run(ONE_LINE).stderr.splitlines()
    assert len(lines) == 2
    assert all("characters left out" in line and len(line) < LONGEST + 500 for line in lines)


MANY_LINES = """
import os, sys, threading
from pathlib import Path
from kilonova.logfile import LogFile, Rotation
from kilonova.logs import configure_logs
configure_logs(to=LogFile(Path(sys.argv[1]), Rotation(max_bytes=1 << 16, keep=2)))
import structlog
log = structlog.get_logger()
threads = [threading.Thread(target=lambda: [log.info("n", text="z" * 400) for _ in range(250)]) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
print("said past the log", flush=True)
os.write(2, b"last words\\n")
"""


def test_a_file_is_set_aside_when_it_is_full_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "kilonova.log"
    done = run(MANY_LINES, path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = {one.name for one in tmp_path.iterdir()}
    assert names == {"kilonova.log", "kilonova.log.1", "kilonova.log.2", "kilonova.log.lock"}
    for one in tmp_path.iterdir():
        assert one.stat().st_size <= SMALL + 1000
        assert one.stat().st_mode & 0o077 == 0
        lines = [line for line in one.read_text().splitlines() if line.startswith("{")]
        assert all(json.loads(line)["text"] for line in lines)
    assert path.read_text().endswith("said past the log\nlast words\n")


SECOND = """
import sys
from pathlib import Path
from kilonova.domain.errors import Conflict
from kilonova.logfile import LogFile, Rotation
first = LogFile(Path(sys.argv[1]), Rotation())
try:
    LogFile(Path(sys.argv[1]), Rotation())
except Conflict as refused:
    print(refused)
"""


def test_two_do_not_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "api-here.log"
    run(SECOND, path)
    assert "Another process writes the log" in path.read_text()


def test_a_line_that_finds_no_room_is_lost_and_nothing_else() -> None:
    script = """
import sys, structlog
from kilonova.logs import configure_logs
configure_logs(to=open("/dev/full", "w", buffering=1))
for _ in range(3):
    structlog.get_logger("x").info("a line", text="x" * 100)
print("went on", flush=True)
sys.stdout.close()
import os
os._exit(0)  # closing what is full complains once more
"""
    done = run(script)
    assert (done.returncode, done.stdout.strip()) == (0, "went on"), done.stderr
