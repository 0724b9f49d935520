"""The official `openstack` command for tests: one process that runs many command lines, as starting it takes over a second."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

WAIT_S = 30


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class Client:
    """One person's `openstack`, run in one folder."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *words: str) -> Said:
        """Run `openstack WORDS`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return Said(*json.loads(self._process.stdout.readline()))

    def do(self, *words: str) -> None:
        """As `run`, for what must succeed."""
        said = self.run(*words)
        assert said.code == 0, (words, said)

    def ask(self, *words: str) -> Any:
        """As `do`, and read what it said."""
        said = self.run(*words, "-f", "json")
        assert said.code == 0, (words, said)
        return json.loads(said.out)


@contextlib.contextmanager
def openstack(auth_url: str, name: str, password: str, folder: Path) -> Iterator[Client]:
    """A user of the default domain, on the project of the same name."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OS_")},
        "OS_AUTH_URL": auth_url, "OS_USERNAME": name, "OS_PASSWORD": password, "OS_PROJECT_NAME": name,
        "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__], env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        with process:
            yield Client(process)
    finally:
        process.kill()


def serve() -> None:
    """The process: command lines as JSON in, results as JSON out."""
    from openstackclient.shell import OpenStackShell  # noqa: PLC0415 - only this process pays for it

    answers = sys.stdout
    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = OpenStackShell().run(json.loads(line))
            except SystemExit as leaving:  # argparse, of a wrong command line
                code = leaving.code
        print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)


if __name__ == "__main__":
    serve()
