"""
Our domains at libvirt, by server id, over a connection that comes back.

libvirtd may be restarted under us: machines go on, the connection dies. The next use opens a new one, and so does a timer, so
that events are not missed for want of use; after a reconnection every machine is looked at again, since whatever happened between
was told to nobody. Events carry no state of their own: each only says which machine to look at (a level, not an edge).

A domain is ours when its metadata names our data directory as its owner. No other is ever touched, even under our server's id.

libvirt calls back in the thread that runs its event loop, where one must not wait for libvirt again; so a callback only
queues the server's id, and another thread looks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from xml.etree import ElementTree as ET

import libvirt
import structlog

from kilonova.agent.hypervisor.libvirt.libvirtd import Daemons
from kilonova.agent.hypervisor.libvirt.xml import NAMESPACE
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Unavailable
from kilonova.domain.server import PowerState

_log = structlog.get_logger(__name__)
_RECONNECT_S = 2.0
_POWER_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,  # it is shutting down, and still runs
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.SUSPENDED,
}
_event_loop = threading.Lock()
_event_loop_runs = threading.Event()


class Domains:
    """Finds, lists and watches the domains of one owner."""

    def __init__(self, daemons: Daemons, owner: str, clock: Clock) -> None:
        self._daemons = daemons
        self._owner = owner
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: libvirt.virConnect | None = None
        self._closed = False
        self._to_look_at: SimpleQueue[str | None] = SimpleQueue()
        self._looked: Callable[[str], None] | None = None
        _run_event_loop()

    def connection(self) -> libvirt.virConnect:
        """A live connection. Raises Unavailable."""
        with self._lock:
            if self._connection is None or not _is_alive(self._connection):
                self._connection = self._connect()
            return self._connection

    def find(self, server_id: str) -> libvirt.virDomain | None:
        """A server's domain, if there is one and it is ours."""
        try:
            domain = self.connection().lookupByUUIDString(server_id)
        except libvirt.libvirtError as error:
            if error.get_error_code() in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_ARG}:
                return None
            raise
        return domain if self._is_ours(domain) else None

    def all(self) -> dict[str, libvirt.virDomain]:
        """Every domain of ours, by server id."""
        return {domain.UUIDString(): domain for domain in self.connection().listAllDomains() if self._is_ours(domain)}

    def watch(self, look: Callable[[str], None]) -> None:
        """Call `look` with the id of a server whose machine may have changed. Once only."""
        self._looked = look
        threading.Thread(target=self._dispatch, name="libvirt-dispatch", daemon=True).start()
        self.connection()

    def close(self) -> None:
        """Let go of libvirt. Machines run on."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        self._to_look_at.put(None)
        if connection is not None:
            connection.close()

    def _connect(self) -> libvirt.virConnect:
        if self._closed:
            raise Unavailable("This host's driver is closed.")
        connection = self._daemons.connect()
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_event, None)
        connection.registerCloseCallback(self._on_close, None)
        if _is_remote(connection):
            connection.setKeepAlive(5, 3)
        for server_id in [domain.UUIDString() for domain in connection.listAllDomains() if self._is_ours(domain)]:
            self._to_look_at.put(server_id)
        return connection

    def _on_event(self, _connection: object, domain: libvirt.virDomain, *_about: object) -> None:
        self._to_look_at.put(domain.UUIDString())

    def _on_close(self, _connection: object, reason: int, _opaque: object) -> None:
        if not self._closed and reason != libvirt.VIR_CONNECT_CLOSE_REASON_CLIENT:
            _log.warning("connection to libvirt lost", reason=reason)
            self._clock.call_later(_RECONNECT_S, self._reconnect)

    def _reconnect(self) -> None:
        try:
            self.connection()
        except (Unavailable, libvirt.libvirtError) as error:
            if not self._closed:
                _log.warning("libvirt does not answer yet", error=str(error))
                self._clock.call_later(_RECONNECT_S, self._reconnect)

    def _dispatch(self) -> None:
        while (server_id := self._to_look_at.get()) is not None:
            try:
                if self._looked is not None:
                    self._looked(server_id)
            except Exception:  # noqa: BLE001 - the next event must still be seen
                _log.exception("event not handled", server_id=server_id)

    def _is_ours(self, domain: libvirt.virDomain) -> bool:
        try:
            text = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
        except libvirt.libvirtError:
            return False  # it has no such metadata, or went away
        return ET.fromstring(text).get("owner") == self._owner  # noqa: S314 - libvirt wrote it


def power_state(domain: libvirt.virDomain) -> PowerState:
    """What a domain is doing now; off with its memory saved is suspended."""
    state = _POWER_STATES.get(domain.state()[0], PowerState.NOSTATE)
    if state is PowerState.SHUTDOWN and domain.hasManagedSaveImage():
        return PowerState.SUSPENDED
    return state


def _is_alive(connection: libvirt.virConnect) -> bool:
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False


def _is_remote(connection: libvirt.virConnect) -> bool:
    return not str(connection.getURI()).startswith("test:")


def _run_event_loop() -> None:
    """Start libvirt's event loop. libvirt has one for the whole process, registered before the first connection."""
    with _event_loop:
        if _event_loop_runs.is_set():
            return
        libvirt.virEventRegisterDefaultImpl()
        # libvirt would also print every error that we catch.
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        threading.Thread(target=_turn, name="libvirt-events", daemon=True).start()
        _event_loop_runs.set()


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
