"""One process of a fleet: started, asked how it fares, killed or stopped by its own pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests import brokers
from tests.waiting import wait_until

READY_S = 180.0  # it takes five seconds; a busy machine may take its time
STOP_S = 60.0


class Node:
    """One process of a fleet."""

    def __init__(self, kind: str, name: str, config: Path, env: dict[str, str]) -> None:
        self.kind, self.name = kind, name
        self.health_port, self.port = brokers.free_ports(2)
        self.log = config.parent / f"{name}.log"
        own = {"NAME": name, "HEALTH_PORT": str(self.health_port)}
        if kind == "api":
            own["PORT"] = str(self.port)
        prefixed = {f"KILONOVA_{kind.upper()}_{key}": value for key, value in own.items()}
        self.env = {**os.environ, **prefixed, **env}
        self._command = [sys.executable, "-m", "kilonova.cli.main", kind, "--config", str(config)]
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{self.health_port}", timeout=10.0, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def url(self) -> str:
        """Where an API is reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it is ready a little later."""
        assert self._process is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self.env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def ensure_running(self) -> None:
        """Start it unless it runs."""
        if self._process is None:
            self.start()

    def kill(self) -> None:
        """As kill -9 does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As an operator does: gracefully. Gives its exit code."""
        return self._end(signal.SIGTERM)

    def close(self) -> None:
        """Kill it if it runs; ask it nothing more."""
        self.kill()
        self._http.close()

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # its log shows where it stands
            process.wait()
            raise AssertionError(f"{self.name} did not stop:\n{self.tail()}") from None

    def problems(self) -> dict[str, str] | None:
        """Why it is not ready; empty when it is, None when it does not answer."""
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")
        try:
            answer = self._http.get("/healthz/ready")
        except httpx2.TransportError:
            return None
        found: dict[str, str] = answer.json().get("problems", {})
        assert (answer.status_code == 200) == (not found)
        return found

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Wait until it can do its work."""
        try:
            wait_until(lambda: self.problems() == {}, f"{self.name} is ready", seconds)
        except AssertionError:
            print(self.tail())
            raise

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        families = text_string_to_metric_families(self._http.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, those lines that are JSON."""
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-6000:] if self.log.exists() else ""

    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
