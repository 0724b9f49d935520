"""The console log of a server, from the host that keeps it."""

from __future__ import annotations

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, Unavailable
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import ConsoleOutput, Failed, GetConsoleOutput
from kilonova.runtime import Runtime
from kilonova.store.queries import servers


class ReadConsole:
    """Reads the end of a server's console log from its host."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._bus = runtime.db, runtime.bus

    def __call__(self, ctx: RequestContext, server_id: str, lines: int | None) -> str:
        """The last `lines` lines, None for all. Raises Missing, Conflict (on no host yet) or Unavailable (its host is silent)."""
        with self._database.read() as tx:
            server = servers.get(tx, ctx, server_id)
        if server.host is None:
            raise Conflict(f"Instance {server.id} is not ready: it is on no host yet.")
        question = GetConsoleOutput(request_id=ctx.request_id, server_id=server.id, lines=lines)
        try:
            answer = self._bus.call(f"agent.{server.host}", question)
        except NoAnswer:
            raise Unavailable("The host of the server does not answer; its console log is kept there.") from None
        if isinstance(answer, Failed):
            raise Conflict(f"Unable to get console log of instance {server.id}: {answer.fault.message}")
        if not isinstance(answer, ConsoleOutput):
            raise Unavailable("The host of the server gave no console log.")
        return answer.output
