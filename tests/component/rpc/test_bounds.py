"""What happens where a queue is full, on a real broker, and that one host fills nothing for the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from amqp.exceptions import NotAllowed
from kombu import Connection

from kilonova.conductor.host_shares import SILENT_S, TOO_LARGE, TOO_MUCH, Allowance, HostShares
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.report import Outcome
from kilonova.domain.saga import about_server
from kilonova.rpc.amqp import AmqpBus, wire
from kilonova.rpc.amqp.bounds import BOUNDS
from kilonova.rpc.amqp.names import FROM_HOSTS, cast_key
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import Heartbeat, Message, Ok, Progress, Report
from kilonova.rpc.rabbitmq_accounts import RabbitAccounts
from kilonova.store.database import Database
from kilonova.store.queries import host_access
from tests import databases
from tests.brokers import ACCOUNT, Broker
from tests.component.rpc.conftest import MakeAmqp
from tests.component.rpc.seen import WAIT_S, Seen, ready
from tests.waiting import wait_until
from tests.world.clock import ManualClock

FEW = 5


@pytest.fixture
def accounts(rabbitmq: Broker, vhost: str) -> Iterator[RabbitAccounts]:
    made = RabbitAccounts(rabbitmq.management_url.replace("://", "://guest:guest@"), vhost)
    yield made
    for host in made.hosts():
        made.remove(host)
    made.close()


@pytest.fixture
def bounded(rabbitmq: Broker, vhost: str, accounts: RabbitAccounts) -> None:
    """The bounds of this release, but for a few messages."""
    accounts.bound_queues()
    name = vhost.rpartition("/")[2]
    for one in BOUNDS:
        policy = one._replace(length=FEW).policy()
        rabbitmq.api("PUT", f"policies/{name}/{one.name}", policy)


def depth(url: str, queue: str) -> int:
    with Connection(url) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).message_count)


def report(number: int) -> Report:
    return Report(host="a", command_id=f"c{number}", subject=about_server("s"), generation=1, outcome=Outcome())


def progress(percent: int) -> Progress:
    return Progress(host="a", command_id="c", subject=about_server("s"), stage="disks", percent=percent)


def ever_served(amqp: MakeAmqp, topic: str) -> None:
    """Its queue is there, and nobody takes anything out of it."""
    amqp().serve(topic, Seen())()


def test_every_queue_has_a_bound(accounts: RabbitAccounts, rabbitmq: Broker, vhost: str, amqp: MakeAmqp) -> None:
    amqp().serve("conductor", Seen())
    amqp(accounts.create("a")).serve("agent.a", Seen())
    amqp().serve("scheduler", Seen())
    accounts.bound_queues()
    name = vhost.rpartition("/")[2]

    def bounded() -> list[dict[str, Any]]:
        all_: list[dict[str, Any]] = rabbitmq.api("GET", f"queues/{name}")
        return all_ if all(one.get("policy") for one in all_) else []

    found = wait_until(bounded, "policies")
    assert len(found) > 12
    for queue in found:
        limits = queue["effective_policy_definition"]
        assert min(limits["max-length"], limits["max-length-bytes"]) > 0
        assert limits["overflow"] == ("reject-publish" if queue["name"][:4] in ("cast", "call") else "drop-head")


def until_full(bus: AmqpBus, say: Callable[[int], None]) -> int:
    """Say one thing after another until the broker takes no more of it; how many were said. It counts what it has written."""
    for number in range(1000):
        say(number)
        wait_until(lambda: (state := bus.state()).waiting == state.held and not state.unconfirmed, "the broker answers")
        if bus.state().held:
            return number + 1
    raise AssertionError("the queue takes everything")


@pytest.mark.usefixtures("bounded")
def test_reports_wait_with_their_sender_and_older_progress_goes(
    accounts: RabbitAccounts, amqp: MakeAmqp, vhost: str
) -> None:
    ever_served(amqp, "conductor")
    host = amqp(accounts.create("a"))
    kept = until_full(host, lambda number: host.cast("conductor", report(number)))
    assert kept <= 4 * FEW
    for percent in range(100):
        host.cast("conductor", progress(percent))
    for number in range(kept, kept + 20):
        host.cast("conductor", report(number))
    wait_until(
        lambda: host.state().held == host.state().waiting == 20 + 2, "reports, the last progress and what was refused"
    )
    assert depth(vhost, "cast:conductor") <= 4 * FEW
    seen, all_ = Seen(), {f"c{number}" for number in range(kept + 20)}
    amqp().serve("conductor", seen)
    wait_until(lambda: all_ <= {one.command_id for one in reports(seen)}, "all reports")
    wait_until(lambda: progress(99) in seen.messages, "the last progress")
    assert len(seen.messages) < len(all_) + 10
    assert host.state().dropped == 0


def reports(seen: Seen) -> list[Report]:
    return [one for one in list(seen.messages) if isinstance(one, Report)]


@pytest.mark.usefixtures("bounded")
def test_a_dead_hosts_full_queue_holds_up_nobody_else(amqp: MakeAmqp, vhost: str) -> None:
    ever_served(amqp, "agent.dead")
    alive = Seen()
    amqp().serve("agent.alive", alive)
    plane = amqp()
    kept = until_full(plane, lambda number: plane.cast("agent.dead", ready(f"for-the-dead-{number}")))
    names = [str(number) for number in range(kept + 20)]
    for name in names:
        plane.cast("agent.dead", ready(f"for-the-dead-{name}"))
        plane.cast("agent.alive", ready(name))
    alive.wait(*names)
    assert plane.state().held > 0
    assert depth(vhost, cast_key("agent.dead")) < 4 * FEW
    back = Seen()
    amqp().serve("agent.dead", back)
    back.wait(*(f"for-the-dead-{name}" for name in names))
    assert plane.state().dropped == 0


@pytest.mark.usefixtures("bounded")
def test_a_call_to_who_has_too_much_to_do_is_told_so(amqp: MakeAmqp) -> None:
    busy, may_go = threading.Event(), threading.Event()

    def slow(_message: Message) -> Message:
        busy.set()
        may_go.wait(WAIT_S)
        return Ok()

    amqp().serve("slow", slow)
    asker = amqp()
    refused: list[str] = []

    def ask() -> None:
        try:
            asker.call("slow", Ok(), timeout_s=WAIT_S)
        except NoAnswer as why:
            refused.append(str(why))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(60)]
    for thread in threads:
        thread.start()
    busy.wait(WAIT_S)
    wait_until(lambda: refused, "one is refused")
    may_go.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert set(refused) == {"slow has too much to do"}


def test_queues_of_an_earlier_release_get_their_bounds_while_they_are_in_use(
    accounts: RabbitAccounts, amqp: MakeAmqp, vhost: str, rabbitmq: Broker
) -> None:
    first = Seen()
    stop = amqp().serve("conductor", first)
    amqp().cast("conductor", ready("before"))
    first.wait("before")
    stop()
    amqp().cast("conductor", ready("waits"))
    accounts.bound_queues()
    accounts.bound_queues()
    again = Seen()
    amqp().serve("conductor", again)
    again.wait("waits")
    assert len(rabbitmq.api("GET", f"policies/{vhost.rpartition('/')[2]}")) == len(BOUNDS)


def flood(url: str, until: threading.Event, body: bytes) -> None:
    """As fast as it goes, in as many connections as it takes: a bounded flood, for the machine has other work."""
    left = (256 << 20) // max(len(body), 4096)
    while left and not until.is_set():
        try:
            with Connection(url, connect_timeout=10) as connection:
                channel = connection.channel()
                message = channel.prepare_message(body, properties={"user_id": "host.a"})
                while left and not until.is_set():
                    channel.basic_publish(message, exchange=FROM_HOSTS, routing_key="cast:conductor")
                    left -= 1
        except Exception:  # noqa: BLE001 - it is thrown out in many ways
            until.wait(0.05)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with databases.sqlite(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("body", "why"),
    [(wire.encode(Heartbeat(hosts=("a",))), TOO_MUCH), (b"x" * (9 << 20), TOO_LARGE)],
    ids=["many", "large"],
)
def test_a_host_that_floods_is_silenced_and_the_others_are_heard(
    accounts: RabbitAccounts, amqp: MakeAmqp, records: Database, body: bytes, why: str
) -> None:
    clock, heard = ManualClock(), Seen()
    shares = HostShares(clock, RefusalLog(records, clock), accounts, Allowance(messages=200))
    accounts.bound_queues()
    plane = amqp(gate=lambda sender, _: sender.startswith("host."), share=shares.has_room)
    plane.serve("conductor", heard, workers=1)
    evil, other = accounts.create("a"), amqp(accounts.create("b"))
    ended = threading.Event()
    thread = threading.Thread(target=flood, args=(evil, ended, body), daemon=True)
    thread.start()
    try:
        for number in range(10):
            other.cast("conductor", report(number))
        wait_until(lambda: len({one.command_id for one in reports(heard)}) == 10, "the other host is heard")
        wait_until(lambda: _is_kept_out(evil), "the flood is ended at its spring")
    finally:
        ended.set()
        thread.join(WAIT_S)
    wait_until(lambda: depth(guest(evil), "cast:conductor") == 0, "what it left is dropped")
    other.cast("conductor", report(98))
    wait_until(lambda: report(98) in heard.messages, "all before it is handled")
    assert sum(isinstance(one, Heartbeat) for one in heard.messages) <= 200
    wait_until(lambda: refused(records) == {("host.a", why)}, "it is written down")
    assert accounts.lacking() == ["a"]
    clock.advance(SILENT_S)
    wait_until(lambda: accounts.lacking() == [], "it may speak")
    back = amqp(evil)
    back.cast("conductor", report(99))
    wait_until(lambda: report(99) in heard.messages, "it is let in again")


def refused(records: Database) -> set[tuple[str, str]]:
    with records.read() as tx:
        return {(one.sender, one.why) for one in host_access.refused(tx)}


def guest(url: str) -> str:
    """The control plane's URL of the same virtual host."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{ACCOUNT}:{ACCOUNT}@{parts.netloc.rpartition('@')[2]}").geturl()


def _is_kept_out(url: str) -> bool:
    try:
        with Connection(url, connect_timeout=10) as connection:
            connection.connect()
    except NotAllowed:
        return True
    except OSError:
        return False
    return False
