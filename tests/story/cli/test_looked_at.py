"""Somebody looks into the records of a cloud under load with a program of his own, and leaves: nothing answered for is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilonova.cli.client import local_client
from tests.story.cli.conftest import Commands
from tests.waiting import wait_until

LOOKS = 40
WRITERS = 4  # as many requests at once have the cloud open several connections
LOOK = """
import sqlite3, sys
for number in range(int(sys.argv[2])):
    records = sqlite3.connect(sys.argv[1], timeout=30)
    records.execute("SELECT count(*) FROM projects").fetchone()
    records.close()
    print(number, flush=True)
    sys.stdin.readline()
"""


def test_a_second_look_costs_no_record(own: Commands) -> None:
    own.up()
    answered: list[str] = []
    with writing(own, answered):
        wait_until(lambda: len(answered) > 20, "the cloud is under load")
        look(own.data_dir / "kilonova.db", answered)
    own.kill()
    own.ok("up")
    with local_client(own.data_dir) as client:
        kept = {project["name"] for project in client.pages("identity", "/projects", "projects")}
    assert set(answered) - kept == set()


@contextmanager
def writing(cloud: Commands, answered: list[str]) -> Iterator[None]:
    """Projects are made as fast as they can be; `answered` are the names of those answered 201."""
    enough, failed = threading.Event(), list[Exception]()

    def write(writer: int) -> None:
        with local_client(cloud.data_dir) as client:
            number = 0
            while not enough.is_set():
                name = f"made-{writer}-{number}"
                client.call("identity", "POST", "/projects", body={"project": {"name": name}})
                answered.append(name)
                number += 1

    def write_or_tell(writer: int) -> None:
        try:
            write(writer)
        except Exception as why:  # noqa: BLE001 - the edge of a thread
            failed.append(why)

    threads = [threading.Thread(target=write_or_tell, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert failed == []


def look(database: Path, answered: list[str]) -> None:
    """Look again and again, and let something be written between any two looks."""
    command = [sys.executable, "-c", LOOK, str(database), str(LOOKS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looker:
        assert looker.stdout is not None
        assert looker.stdin is not None
        for _ in range(LOOKS):
            assert looker.stdout.readline().strip().isdigit()
            before = len(answered)
            wait_until(lambda before=before: len(answered) > before, "more is written")  # type: ignore[misc]
            looker.stdin.write("\n")
            looker.stdin.flush()
    assert looker.returncode == 0
