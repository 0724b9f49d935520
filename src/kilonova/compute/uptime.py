"""How long a host has been up, in its own words."""

from __future__ import annotations

from datetime import datetime

from kilonova.domain.host import Host, is_alive
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import GetUptime, Uptime
from kilonova.runtime import Runtime

_PATIENCE_S = 2.0


class ReadUptime:
    """Asks a host for its uptime line."""

    def __init__(self, runtime: Runtime) -> None:
        self._bus = runtime.bus

    def __call__(self, host: Host, now: datetime) -> str | None:
        """The host's uptime line; None when it is down or does not answer within two seconds."""
        if not is_alive(host.seen_at, now, forced_down=host.forced_down):
            return None
        try:
            answer = self._bus.call(f"agent.{host.name}", GetUptime(), timeout_s=_PATIENCE_S)
        except NoAnswer:
            return None
        return answer.text if isinstance(answer, Uptime) else None
