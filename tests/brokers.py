"""
A RabbitMQ for tests, which lives for one test session.

The broker is our own: a node of its own name in a fresh folder, on free ports of 127.0.0.1, with its own port mapper (epmd) as a
child of this process, so that nothing of it is left, even when this process is killed, and no broker of the system is touched.
Each test gets a virtual host.

    with brokers.broker() as broker:            # None where RabbitMQ is not installed
        with broker.vhost() as url:             # amqp://guest:guest@127.0.0.1:PORT/test-1
            ...
        broker.management_url                   # http://127.0.0.1:PORT, account guest, password guest
        broker.over_tls(url)                    # the same virtual host as amqps://, or the management API as https://
        broker.authority                        # whose certificates it has, and takes from clients
        broker.kill(); broker.start()           # kill -9 and back again, on the same folder and ports
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from tests.certificates import Authority
from tests.databases import must_not_be_ci

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's /usr/sbin has a wrapper that would change the account
ACCOUNT = "guest"  # made by the broker itself, and let in from this machine alone
START_S = 60  # it takes five seconds; a busy machine may take its time
CONFIGURATION = """\
listeners.tcp.default = {listen}:{amqp}
distribution.listener.interface = 127.0.0.1
distribution.listener.port_range.min = {distribution}
distribution.listener.port_range.max = {distribution}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
management.ssl.ip = 127.0.0.1
management.ssl.port = {management_tls}
management.ssl.certfile = {folder}/server.pem
management.ssl.keyfile = {folder}/server.pem
listeners.ssl.default = 127.0.0.1:{amqps}
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.pem
ssl_options.cacertfile = {folder}/authority.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
collect_statistics_interval = 2000
vm_memory_high_watermark.absolute = 4GiB
disk_free_limit.absolute = 50MB
log.file.level = warning
log.console = false
"""
# Waits for the end of its input, which is the end of the process that holds the other end, however that ends.
KEEPER = (
    'read -r _; [ -e "$1/pids" ] || exit 0; while read -r pid; do kill -s KILL -- "-$pid"; done <"$1/pids"; rm -rf "$1"'
)
# Few schedulers that do not spin, and small write-ahead logs: this machine has other work.
ERLANG = "+S 2:2 +SDcpu 1:1 +SDio 4 +A 8 +sbwt none +sbwtdcpu none +sbwtdio none -start_epmd false"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


class Broker:
    """A RabbitMQ of our own, which listens for clients at an address. Made stopped."""

    def __init__(self, folder: Path, listen: str = "127.0.0.1") -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        command = ["sh", "-c", KEEPER, "sh", str(folder)]
        self._keeper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.port, management, distribution, self._mapper, self.tls_port, management_tls = free_ports(6)
        self.management_url = f"http://127.0.0.1:{management}"
        self._tls_ports = {self.port: self.tls_port, management: management_tls}
        self._http = httpx2.Client(base_url=self.management_url, auth=(ACCOUNT, ACCOUNT), timeout=30)
        ports = {"amqp": self.port, "management": management, "distribution": distribution}
        ports |= {"amqps": self.tls_port, "management_tls": management_tls}
        (folder / "rabbitmq.conf").write_text(CONFIGURATION.format(listen=listen, folder=folder, **ports))
        self.authority = Authority(folder / "authority.pem")
        self.authority.certify("127.0.0.1", folder / "server.pem")
        (folder / "advanced.config").write_text("[{ra, [{wal_max_size_bytes, 8000000}]}].\n")
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")

    def start(self) -> None:
        """Bring it up, on what is in its folder."""
        if self._epmd is None:
            command = ["epmd", "-port", str(self._mapper), "-address", "127.0.0.1"]
            self._epmd = self._run(command, self._environment())
        self._server = self._run([str(SERVER), "-noinput"], self._environment())
        end = time.monotonic() + START_S
        while not self._answers():
            assert self._server.poll() is None, f"RabbitMQ ended:\n{self._log()}"
            assert time.monotonic() < end, f"RabbitMQ did not come up in {START_S} s:\n{self._log()}"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a crash does. A quorum queue made less than a second ago does not survive it: see `wait_on_disk`."""
        self._end(signal.SIGKILL)

    def wait_on_disk(self, url: str, queue: str) -> None:
        """Wait until a quorum queue is in the broker's list on the disk, which it writes now and then."""
        name = f"{url.rpartition('/')[2]}_{queue}".encode()
        [names] = self._folder.glob("*/quorum/*/names.dets")
        end = time.monotonic() + START_S
        while name not in names.read_bytes():
            assert time.monotonic() < end, f"{queue} is not on the disk after {START_S} s"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """In good order, as an operator does."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good; its folder is the maker's."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
        (self._folder / "pids").unlink(missing_ok=True)
        self._keeper.communicate()
        self._http.close()

    @contextlib.contextmanager
    def vhost(self) -> Iterator[str]:
        """The URL of a fresh virtual host; it is removed afterwards, with all that is in it."""
        name = f"test-{next(self._numbers)}"
        self.api("PUT", f"vhosts/{name}")
        self.grant(ACCOUNT, name)
        try:
            yield self.url(name)
        finally:
            self.api("DELETE", f"vhosts/{name}")

    def url(self, vhost: str, *, user: str = ACCOUNT, password: str = ACCOUNT) -> str:
        """Where an account finds a virtual host."""
        return f"amqp://{quote(user)}:{quote(password)}@127.0.0.1:{self.port}/{quote(vhost)}"

    def over_tls(self, url: str) -> str:
        """A URL of this broker's (of AMQP or of the management API) with its port for TLS; the authority is not in it."""
        scheme, _, rest = url.partition("://")
        port = urlsplit(url).port
        assert port is not None
        return f"{scheme}s://{rest.replace(f':{port}', f':{self._tls_ports[port]}')}"

    def add_user(self, name: str, password: str) -> None:
        """An account that may do nothing yet."""
        self.api("PUT", f"users/{quote(name)}", {"password": password, "tags": ""})

    def grant(self, user: str, vhost: str, permissions: dict[str, str] | None = None) -> None:
        """What an account may do in a virtual host: patterns to `configure`, `write` and `read`; default: anything."""
        anything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.api("PUT", f"permissions/{vhost}/{quote(user)}", permissions or anything)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the management API, which must succeed; its JSON."""
        reply = self._http.request(method, f"/api/{path}", json=body).raise_for_status()
        return reply.json() if reply.content else None

    def ctl(self, *arguments: str) -> None:
        """`rabbitmqctl`, on this broker."""
        command = [str(SERVER.with_name("rabbitmqctl")), "--quiet", *arguments]
        subprocess.run(command, check=True, env=self._environment(), capture_output=True, timeout=START_S)

    def _answers(self) -> bool:
        try:
            reply = self._http.get("/api/health/checks/virtual-hosts")
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return reply.is_success
        except (httpx2.TransportError, OSError):
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        if self._server.poll() is None:
            os.killpg(self._server.pid, how)
        self._server.wait(START_S)
        self._server = None

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"kn-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{folder}/feature_flags",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            "RABBITMQ_ALLOW_INPUT": "1",  # the shell becomes the broker, instead of waiting beside it
        }

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output, (self._folder / "pids").open("a") as pids:
            made = subprocess.Popen(
                command, env=environment, cwd=self._folder, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            pids.write(f"{made.pid}\n")
            return made

    def _log(self) -> str:
        return (self._folder / "output").read_text(errors="replace")[-4000:]


@contextlib.contextmanager
def broker() -> Iterator[Broker | None]:
    """A running broker for a session, or None where RabbitMQ is not installed."""
    if not SERVER.exists():
        must_not_be_ci("RabbitMQ")
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="kn-mq-"))
    made = Broker(folder)
    try:
        made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
