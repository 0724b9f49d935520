"""Somebody with an account on the machine that the cloud runs on, or a tool of the operator's own that looks into its files."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading

from tests.attack.kit import attack, must
from tests.attack.target import Target

_LOOK = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM servers').fetchall(); c.close()"


@attack
def a_second_look(target: Target) -> None:
    """Another process looks into the database meanwhile; then the cloud is killed: all that was answered for is there."""
    database, done = str(target.data_dir / "kilonova.db"), threading.Event()

    def look() -> None:
        while not done.is_set():
            subprocess.run([sys.executable, "-c", _LOOK, database], check=False, capture_output=True)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        accepted = [
            str(target.victim.make("security_group", name=f"kept {number}")["id"])
            for number in range(4 if target.is_short else 8)
        ]
        for _ in range(40 if target.is_short else 150):
            accepted += [str(target.victim.make("network", name="kept")["id"])]
            target.victim.ok("DELETE", f"network /networks/{accepted.pop()}")
    finally:
        done.set()
        looking.join()
    last = str(target.victim.make("network", name="the last")["id"])
    target.cloud.kill()
    target.start()
    for ident in accepted:
        answer = target.victim.send("GET", f"network /security-groups/{ident}")
        must(answer.status_code == 200, f"group {ident} was answered for and is gone: {answer.status_code}")
    answer = target.victim.send("GET", f"network /networks/{last}")
    must(answer.status_code == 200, f"the last network was answered for and is gone: {answer.status_code}")


@attack
def readable_files(target: Target) -> None:
    """Nothing that the cloud writes can be read or written by others."""
    target.victim.settled(target.victim.booted(target.victim.image(), user_data="cGFzc3dvcmQ=", config_drive=True))
    open_to_all = [
        str(path.relative_to(target.data_dir))
        for path in target.data_dir.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
    ]
    must(not open_to_all, f"others can read {open_to_all[:10]}")
