"""A cloud whose every name, value, log and refusal is made to steer a terminal: no command lets it."""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner, Result

from kilonova.cli.main import _COMMANDS, cli

WORD = "FAKE-ROW"
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x9b31m\x1b[31mred\x1b[0m\u202egnp.exe\u2066\u200f\r\n"
    f"{WORD}\n  Next: {WORD}\x00\x7f\x08\u2028\x85é\U000e0001"
)
ID = "11111111-1111-4111-8111-111111111111"
OWN_STYLE = re.compile(r"\x1b\[(?:0|1|2|3[0-7])m")
STAYS_AT_HOME = {
    "up", "down", "doctor", "routes", "bench", "simulate", "config", "db", "api", "conductor", "scheduler", "agent", "serve",
    "status", "dead-letters", "backup", "restore",
}  # fmt: skip
"""Commands that talk to this machine or a fleet's engines; what they print goes the same way: tests/unit/cli/test_talk.py."""

HAVE_LINES = ("logs", "explain", "place")
"""A log has lines, and a wide table's cells are folded."""

SERVER: dict[str, Any] = {
    "id": ID, "name": HOSTILE, "status": "ACTIVE", "tenant_id": HOSTILE, "created": HOSTILE, "key_name": HOSTILE,
    "metadata": {HOSTILE: HOSTILE, "plain": HOSTILE}, "flavor": {"original_name": HOSTILE}, "image": {"id": HOSTILE},
    "addresses": {HOSTILE: [{"addr": HOSTILE, "version": 4}]}, "security_groups": [{"name": HOSTILE}],
    "OS-EXT-STS:task_state": HOSTILE, "OS-EXT-AZ:availability_zone": HOSTILE, "OS-EXT-SRV-ATTR:host": HOSTILE, "progress": 3,
    "fault": {"message": HOSTILE, "code": 500}, "links": [], "tags": [HOSTILE],
}  # fmt: skip
HOST = dict.fromkeys(
    ("name", "state", "status", "zone", "version", "id", "service_id", "disabled_reason", "address"), HOSTILE
)
DECISION = {
    "action": HOSTILE, "number": 1, "decided_at": HOSTILE, "hosts": 2, "left": 1,
    "filters": [{"name": HOSTILE, "hosts": 2, "removed": 1, "reason": HOSTILE}],
    "best": [{"host": HOSTILE, "zone": HOSTILE, "score": 1.0, "weighers": {HOSTILE: 1.0}}],
    "winner": {"host": HOSTILE, "zone": HOSTILE, "score": 1.0}, "passed_over": [{"host": HOSTILE, "why": HOSTILE}],
    "nearest_miss": {"host": HOSTILE, "lacks": HOSTILE}, "setback": {"step": HOSTILE, "message": HOSTILE},
}  # fmt: skip
PLACED = {"found": True, "message": HOSTILE, "decisions": [DECISION]}
THING = {"id": ID, "name": HOSTILE, "ram": 1, "vcpus": 1, "disk": 1, "status": "active", "min_ram": 0, "min_disk": 0}
ANSWERS: list[tuple[str, str, Any]] = [
    ("GET", r"/servers/detail|/servers$", {"servers": [SERVER]}),
    ("POST", r"/servers$", {"server": {"id": ID}}),
    ("GET", r"/servers/[^/]+/os-instance-actions$", {"instanceActions": [{"request_id": "r"}]}),
    ("GET", r"/servers/[^/]+/os-instance-actions/r$",
     {"instanceAction": {"events": [{"start_time": "1", "event": HOSTILE}]}}),
    ("POST", r"/servers/[^/]+/action$", {"output": HOSTILE}),
    ("GET", r"/servers/[^/]+/placement$", {"placement": PLACED}),
    ("POST", r"/placement$", {"placement": PLACED | {"hosts": [{"host": HOSTILE, "zone": HOSTILE}] * 2}}),
    ("GET", r"/servers/[^/]+$", {"server": SERVER}),
    ("GET", r"/images", {"images": [THING]}),
    ("GET", r"/flavors", {"flavors": [THING]}),
    ("GET", r"/os-keypairs$", {"keypairs": [{"keypair": {"name": HOSTILE}}]}),
    ("GET", r"/os-keypairs/", {"keypair": {"public_key": HOSTILE}}),
    ("GET", r"/networks|/ports", {"networks": [THING], "ports": []}),
    ("GET", r"/hosts/refusals", {"refusals": [dict.fromkeys(("last_at", "times", "sender", "what", "why", "about"), HOSTILE)]}),
    ("GET", r"/hosts$", {"hosts": [HOST | {"name": "h1"}, HOST]}),
    ("POST", r"/hosts/tokens", {"token": {"text": HOSTILE, "expires_at": HOSTILE}}),
    ("GET", r"/audit", {"audit": {"counts": {HOSTILE: 1}, "total": 1, "orphans": {HOSTILE: [HOSTILE]},
                                  "silent_hosts": [HOSTILE]}}),
    ("GET", r"/rebalance", {"rebalance": {
        "moves": [{"server_id": HOSTILE, "gain": 1.0, "from": HOSTILE, "to": HOSTILE, "reason": HOSTILE}], "ram": 1,
        "measure": HOSTILE, "before": 1.0, "after": 0.5, "ended": HOSTILE, "servers": 2, "fixed": {HOSTILE: 1},
    }}),
    ("PUT", r"/os-services/", {}),
    ("GET|POST", r"/keys", {"keys": [dict.fromkeys(("purpose", "created_at", "state", "wrapped"), HOSTILE)]}),
]  # fmt: skip
COMMANDS: dict[str, list[list[str]]] = {
    "boot": [["web", "--no-wait"], ["web", "--image", HOSTILE], ["web"]],
    "ps": [[], ["--all"]],
    "show": [[ID], [HOSTILE], ["nobody"]],
    "logs": [[ID], [ID, "-n", "3"]],
    "ssh": [[ID]],
    "wait": [[ID], [ID, "--for", "ip"]],
    "explain": [[ID]],
    "place": [[], ["--count", "2"]],
    "delete": [[ID, "--no-wait"]],
    "audit": [[]],
    "rebalance": [["--plan"], ["--execute"]],
    "keys": [["list"], ["rotate"], ["new"]],
    "host": [
        ["list"],
        ["token"],
        ["refusals"],
        ["disable", "h1", "--reason", HOSTILE],
        ["enable", "h1"],
        ["remove", "h2"],
    ],
}


class HostileCloud(BaseHTTPRequestHandler):
    """Answers every request with what hurts; what it does not know it refuses, in words that hurt."""

    url: ClassVar[str] = ""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.endswith("/auth/tokens"):
            self._send(201, {"token": self._token()})
            return
        for method, pattern, body in ANSWERS:
            if self.command in method.split("|") and re.search(pattern, path):
                self._send(200, body)
                return
        status = 204 if self.command == "DELETE" and "/servers/" in path else 409
        self._send(status, None if status == 204 else {"conflictingRequest": {"code": 409, "message": HOSTILE}})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815 - as http.server calls them

    def _token(self) -> dict[str, Any]:
        types = ("compute", "image", "network", "identity")
        public = {"interface": "public", "region": "R"}
        catalog = [{"type": kind, "endpoints": [public | {"url": f"{self.url}/{kind}/v2"}]} for kind in types]
        return {"catalog": catalog, "roles": [{"name": "admin"}], "project": {"id": HOSTILE}}

    def _send(self, status: int, body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Subject-Token", "t")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hostile_cloud() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileCloud)
    HostileCloud.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield HostileCloud.url
    server.shutdown()
    thread.join(30)
    server.server_close()


@pytest.fixture
def env(hostile_cloud: str, tmp_path: Path) -> dict[str, str | None]:
    return {
        "OS_AUTH_URL": hostile_cloud, "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_CLOUD": None, "HOME": str(tmp_path),
        "XDG_STATE_HOME": None, "KILONOVA_DATA_DIR": str(tmp_path / "none"), "OS_CLIENT_CONFIG_FILE": str(tmp_path / "no.yaml"),
    }  # fmt: skip


def run(env: dict[str, str | None], *words: str) -> Result:
    """As on a terminal: what is printed is not stripped of anything."""
    return CliRunner().invoke(cli, list(words), env=env, color=True)


def assert_harmless(said: str, asked: list[str]) -> None:
    plain = OWN_STYLE.sub("", said)
    found = [one for one in plain if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert found == [], (asked, said)
    if asked[0] not in HAVE_LINES:
        assert not re.search(rf"^\s*(Next: )?{WORD}", plain, re.MULTILINE), (asked, said)


def test_every_command_has_its_case() -> None:
    assert set(COMMANDS) | STAYS_AT_HOME == set(_COMMANDS)


@pytest.mark.parametrize(
    "words",
    [[name, *more] for name, cases in COMMANDS.items() for more in cases],
    ids=lambda words: " ".join(words)[:40],
)
def test_nothing_that_a_cloud_says_steers_the_terminal(env: dict[str, str | None], words: list[str]) -> None:
    done = run(env, *words)
    assert done.stdout or done.stderr, words
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exc_info)
    assert_harmless(done.stdout, words)
    assert_harmless(done.stderr, words)


@pytest.mark.parametrize("output", ["json", "yaml", "env", "ids"])
@pytest.mark.parametrize(
    "words", [["ps"], ["show", ID], ["explain", ID], ["host", "refusals"], ["rebalance", "--plan"]]
)
def test_other_formats_are_harmless_and_exact(env: dict[str, str | None], words: list[str], output: str) -> None:
    done = run(env, *words, "-o", output)
    assert done.exit_code == 0, done.output
    assert_harmless(done.stdout, words)
    if output in ("json", "yaml"):
        read = json.loads(done.stdout) if output == "json" else yaml.safe_load(done.stdout)
        assert HOSTILE in list(texts(read))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def test_a_log_is_raw_for_who_asks(env: dict[str, str | None]) -> None:
    assert run(env, "logs", ID, "--raw").stdout_bytes == f"{HOSTILE}\n".encode()
    readable = run(env, "logs", ID).stdout
    assert "red\\u202e" in readable  # a colour is left out, all else is shown
    assert readable.splitlines()[1] == WORD  # a log has lines
