"""
What a host may say to the control plane: of itself, of its own servers, and nothing else.

A host runs other people's machines, and one of them may break out. Whoever has taken a host over has that host's bus user, and
RabbitMQ vouches for it: a message says which user sent it, and cannot lie. (It may say nothing; then nothing of it is taken.) So
every message of a `host.<name>` user is held against the records before any handler sees it:

    which types   Heartbeat, HostStarted, HostObserved, NetworksHeld, PowerChanged, Report, Progress; a host sends nothing else
    which host    the one that the user is named for, and no other
    which servers see below

**A command's end** (Report, Progress) names a command and its subject, and the conductor finds the saga by the command alone. It
is taken when the command is of a saga about that subject, and
  - the saga waits for this host to report on it, or the journal says that this attempt was placed on this host: then the command
    was sent to it and nobody else; or
  - the subject is a server that is on this host: reconcilers, whose commands no saga waits for, command such hosts; or
  - it is a server that is deleted and was once sent there: a late word that changes nothing.
The first is a fact that never changes, so it is kept in memory; the others are asked each time.

**What a host sees** (HostStarted, HostObserved, PowerChanged) may name servers that are not on it: a machine that was left behind
when its server went elsewhere, or was deleted. The conductor takes no word about such a server, only tells the host to remove it.
A server that lives elsewhere and was *never* sent to this host cannot be there: whoever says so lies.
A machine that there is no record of is nobody's; the audit counts it.

Races. A saga may move between the look and the handling, never so that a refused word would have been right: a host learns of a
command only after the commit that makes the word about it true. A credential that is revoked counts for REFRESH_S more seconds at
most; RabbitMQ drops the host's connections at once, as its user is removed.

A heartbeat costs no query: which hosts have a credential is read once in REFRESH_S for all of them.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence, Sized
from typing import NamedTuple

import msgspec

from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.clock import Clock
from kilonova.domain.host_access import host_of
from kilonova.domain.report import Observed
from kilonova.domain.saga import SubjectKind
from kilonova.rpc.messages import (
    Heartbeat,
    HostObserved,
    HostStarted,
    Message,
    NetworksHeld,
    PowerChanged,
    Progress,
    Report,
)
from kilonova.rpc.sealing import is_key
from kilonova.store.database import Database
from kilonova.store.queries import host_access, host_word

REFRESH_S = 5.0
_UNKNOWN_REFRESH_S = 0.5  # who has just joined need not wait longer; who never did must not cost a query each time
_CAPACITY = 8192
MOST_SERVERS = 10_000
_MOST_OF_ANYTHING = 2**31  # vCPUs, MiB, GiB: schedulers count in 64 bits, and add up
_MOST_FACTS = 1 << 16  # bytes, as JSON
_MOST_ADDRESSES = 64  # which no guest in the cloud reaches any more
_ID = re.compile("[!-~]{1,96}")  # a database may choke on others
_STAGE = re.compile("[a-z_]{1,32}")  # many are written at once, and none must spoil it for the others

NO_SENDER = "the bus does not vouch for who sent it"
NO_CREDENTIAL = "it has no credential: it never joined, or was removed"
NOT_FOR_HOSTS = "hosts do not send this"
OTHER_HOST = "it speaks for another host"
OTHER_SERVER = "it speaks of a server that is not on it and never was sent there"
NO_MACHINE = "there is no machine like that"
NO_ID = "that is no id"
NO_STAGE = "there is no such stage"
NO_KEY = "nothing can be sealed with that key"
TOO_MANY = "it speaks of more than a host can have"
OTHER_COMMAND = "the command was not sent to it, or is about another server"


_Word = Report | Progress | HostStarted | HostObserved | NetworksHeld | PowerChanged


class Objection(NamedTuple):
    """Why a message is refused, and what it named."""

    why: str
    about: str = ""


class HostGate:
    """Lets messages of hosts in or not; those of the control plane's own users always. Safe to use from many threads."""

    def __init__(self, db: Database, clock: Clock, refusals: RefusalLog) -> None:
        self._db, self._clock, self._refusals = db, clock, refusals
        self._lock = threading.Lock()
        self._live: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        self._sent: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def admit(self, user: str, message: Message) -> bool:
        """Whether a message from this bus user may be handled. Fills `rpc.bus.Gate`."""
        host = host_of(user)
        if not user:
            objection: Objection | None = Objection(NO_SENDER)
        else:
            objection = None if host is None else self._objection(host, message)
        if objection is not None:
            self._refusals.note(user or "nobody", type(message).__name__, objection.why, objection.about)
        return objection is None

    def _objection(self, host: str, message: Message) -> Objection | None:
        if not self._is_live(host):
            return Objection(NO_CREDENTIAL)
        match message:
            case Heartbeat(hosts=names):
                return _same(host, names)
            case Report() | Progress() | HostStarted() | HostObserved() | NetworksHeld() | PowerChanged():
                return _same(host, [message.host]) or self._of_content(host, message)
            case _:
                return Objection(NOT_FOR_HOSTS)

    def _of_content(self, host: str, word: _Word) -> Objection | None:
        match word:
            case Report() | Progress():
                return _unformed(word) or self._of_command(host, word)
            case NetworksHeld(held=held):
                return _too_many(held.generations) or _too_many(held.urgent)
            case PowerChanged(observed=seen):
                return self._of_servers(host, [seen])
            case HostStarted(observed=observed) | HostObserved(observed=observed):
                return _no_machine(word) or self._of_servers(host, observed)

    def _is_live(self, host: str) -> bool:
        age_s = self._clock.monotonic() - self._read_at
        if age_s > REFRESH_S or (age_s > _UNKNOWN_REFRESH_S and host not in self._live):
            with self._db.read() as tx:
                self._live = host_access.live_hosts(tx)
            self._read_at = self._clock.monotonic()
        return host in self._live

    def _of_servers(self, host: str, observed: Sequence[Observed]) -> Objection | None:
        if not observed:
            return None
        if (objection := _too_many(observed)) is not None:
            return objection
        if not all(_ID.fullmatch(seen.server_id) for seen in observed):
            return Objection(NO_ID)
        with self._db.read() as tx:
            foreign = host_word.foreign(tx, host, [seen.server_id for seen in observed])
            lies = host_word.never_there(tx, host, foreign) if foreign else []
        return Objection(OTHER_SERVER, lies[0]) if lies else None

    def _of_command(self, host: str, word: Report | Progress) -> Objection | None:
        key = (host, word.subject.id, word.command_id)
        with self._lock:
            if key in self._sent:
                self._sent.move_to_end(key)
                return None
        with self._db.read() as tx:
            command = host_word.command(tx, word.command_id, host)
            if command is not None and command.subject_id != word.subject.id:
                return Objection(OTHER_COMMAND, word.command_id)
            if command is not None and command.sent_there:
                self._remember(key)
                return None
            if word.subject.kind is SubjectKind.SERVER and host_word.may_speak_of(tx, host, word.subject.id):
                return None
        return Objection(OTHER_COMMAND, word.command_id)

    def _remember(self, key: tuple[str, str, str]) -> None:
        with self._lock:
            self._sent[key] = None
            if len(self._sent) > _CAPACITY:
                self._sent.popitem(last=False)


def _same(host: str, named: Sequence[str]) -> Objection | None:
    other = next((name for name in named if name != host), None)
    return None if other is None else Objection(OTHER_HOST, other)


def _too_many(things: Sized) -> Objection | None:
    return Objection(TOO_MANY, str(len(things))) if len(things) > MOST_SERVERS else None


def _unformed(word: Report | Progress) -> Objection | None:
    if not (_ID.fullmatch(word.subject.id) and _ID.fullmatch(word.command_id)):
        return Objection(NO_ID, word.command_id)
    if isinstance(word, Report) or (_STAGE.fullmatch(word.stage) and 0 <= word.percent <= 100):
        return None
    return Objection(NO_STAGE, word.stage)


def _no_machine(word: HostStarted | HostObserved) -> Objection | None:
    """What a host says of itself every scheduler reads: it may be a lie, and must not be nonsense."""
    if isinstance(word, HostObserved):
        return None
    if word.seal_key and not is_key(word.seal_key):
        return Objection(NO_KEY)
    facts = word.facts
    sizes = (facts.vcpus, facts.ram_mib, facts.disk_gib, facts.hypervisor_version, *facts.cpu_topology.values())
    is_small = len(msgspec.json.encode(facts)) <= _MOST_FACTS and len(facts.addresses) <= _MOST_ADDRESSES
    if is_small and all(0 <= size < _MOST_OF_ANYTHING for size in sizes):
        return None
    return Objection(NO_MACHINE, f"{facts.vcpus} vCPUs, {facts.ram_mib} MiB, {facts.disk_gib} GiB")
