"""The bus over TLS to a real broker: who is believed, and what becomes of it when the network fails."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kilonova.domain.errors import Unavailable
from kilonova.rpc.amqp import AmqpBus
from kilonova.rpc.amqp.deadletters import DeadLetters
from kilonova.rpc.messages import Heartbeat, Ok, Uptime
from kilonova.rpc.rabbitmq_accounts import RabbitAccounts
from kilonova.rpc.tls import TlsFiles
from tests.brokers import Broker
from tests.certificates import Authority
from tests.component.rpc.conftest import QUICK, MakeAmqp
from tests.component.rpc.seen import WAIT_S, Seen, ready
from tests.tcpproxy import TcpProxy
from tests.waiting import wait_until, within

_BEFORE_THE_BROKERS_HEARTBEAT_S = 15.0  # which comes every 30 s, if none is asked for more often


@pytest.fixture
def proxy(rabbitmq: Broker) -> Iterator[TcpProxy]:
    """A network between the test's buses and the broker's port for TLS."""
    proxy = TcpProxy(rabbitmq.tls_port)
    yield proxy
    proxy.close()


def through(proxy: TcpProxy, url: str) -> str:
    """The URL by way of the proxy."""
    return url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/")


def is_refused(bus: AmqpBus) -> bool:
    """Whether neither of its connections comes to be."""
    for link in (bus._receiving, bus._sending):
        wait_until(link.is_down.is_set, "an attempt at the least")
    return not bus.state().connected


def connections(rabbitmq: Broker, vhost: str) -> list[dict[str, Any]]:
    """What the broker says of those to a virtual host; a moment late."""
    name = vhost.rpartition("/")[2]
    return [one for one in rabbitmq.api("GET", "connections") if one.get("vhost") == name]


def test_a_broker_of_another_authority_is_not_spoken_to(
    amqp: MakeAmqp, rabbitmq: Broker, vhost: str, tmp_path: Path
) -> None:
    url, other = rabbitmq.over_tls(vhost), Authority(tmp_path / "other.pem")
    assert is_refused(amqp(url))
    assert is_refused(amqp(TlsFiles(ca_file=str(other.path)).put_into(url)))


def test_a_broker_that_is_not_the_one_in_the_url_is_not_spoken_to(amqp: MakeAmqp, vhost_tls: str) -> None:
    assert is_refused(amqp(vhost_tls.replace("127.0.0.1", "localhost")))


def test_a_certificate_that_is_asked_for_is_shown(amqp: MakeAmqp, rabbitmq: Broker, vhost: str, tmp_path: Path) -> None:
    own = rabbitmq.authority.certify("127.0.0.1", tmp_path / "own.pem")
    files = TlsFiles(ca_file=str(rabbitmq.authority.path), cert_file=str(own))
    bus = amqp(files.put_into(rabbitmq.over_tls(vhost)))
    bus.serve("here", lambda _: Ok())
    assert bus.call("here", Ok(), timeout_s=WAIT_S) == Ok()

    def subjects() -> list[str]:
        return [one.get("peer_cert_subject", "") for one in connections(rabbitmq, vhost)]

    wait_until(lambda: subjects() == ["CN=test own"] * 2, "both connections show it")
    strange = Authority(tmp_path / "other.pem").certify("127.0.0.1", tmp_path / "strange.pem")
    files = TlsFiles(ca_file=files.ca_file, cert_file=str(strange))
    assert is_refused(amqp(files.put_into(rabbitmq.over_tls(vhost))))


def test_certificates_may_be_replaced_while_we_run(
    amqp: MakeAmqp, rabbitmq: Broker, vhost: str, tmp_path: Path
) -> None:
    path = Authority(tmp_path / "ca.pem").path
    bus = amqp(TlsFiles(ca_file=str(path)).put_into(rabbitmq.over_tls(vhost)))
    assert is_refused(bus)
    shutil.copy(rabbitmq.authority.path, path)
    wait_until(lambda: bus.state().connected, "the broker believed")


def test_what_comes_in_one_piece_is_read_to_its_end(amqp: MakeAmqp, vhost_tls: str) -> None:
    """A message is three frames in one record of TLS: the last two must not wait for more to come over the wire."""
    rarely = replace(QUICK, heartbeat_s=600.0)
    seen, sender = Seen(), amqp(vhost_tls, pace=rarely)
    amqp(vhost_tls, pace=rarely).serve("here", seen)
    for number in range(1, 21):
        sender.cast("here", ready(str(number)))
        wait_until(lambda number=number: len(seen.messages) == number, "the message", _BEFORE_THE_BROKERS_HEARTBEAT_S)


def test_large_messages_go_both_ways(amqp: MakeAmqp, vhost_tls: str) -> None:
    text = "x" * 1_000_000
    server, client = amqp(vhost_tls), amqp(vhost_tls)
    server.serve("here", lambda _: Uptime(text=text))
    assert client.call("here", Uptime(text=text), timeout_s=WAIT_S) == Uptime(text=text)


def test_a_cut_network_loses_nothing(amqp: MakeAmqp, proxy: TcpProxy, vhost_tls: str) -> None:
    seen, bus = Seen(), amqp(through(proxy, vhost_tls))
    bus.serve("here", seen)
    for number in range(5):
        bus.cast("here", ready(f"before {number}"))
        proxy.cut()
        bus.cast("here", ready(f"after {number}"))
        proxy.mend()
    seen.wait(*(f"{when} {number}" for number in range(5) for when in ("before", "after")))


def test_a_network_that_falls_silent_is_noticed_and_let_go_of_without_a_goodbye(
    amqp: MakeAmqp, proxy: TcpProxy, vhost_tls: str
) -> None:
    seen = Seen()
    bus = amqp(through(proxy, vhost_tls), pace=replace(QUICK, heartbeat_s=1.0, answer_s=60.0))
    bus.serve("here", seen)
    wait_until(lambda: bus.state().connected, "both connections up")  # served needs one
    proxy.freeze()
    bus.cast("here", ready("a"))
    wait_until(lambda: bus.state().reconnects >= 2, "both connections given up", 30)
    proxy.mend()
    seen.wait("a")


def test_somebody_who_says_nothing_or_knows_no_tls_is_given_up(
    amqp: MakeAmqp, rabbitmq: Broker, vhost: str, vhost_tls: str
) -> None:
    plain = vhost_tls.replace(f":{rabbitmq.tls_port}/", f":{rabbitmq.port}/")
    assert is_refused(amqp(plain))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = vhost_tls.replace(f":{rabbitmq.tls_port}/", f":{silent.getsockname()[1]}/")
        bus = amqp(url, pace=replace(QUICK, answer_s=0.5))
        assert is_refused(bus)
        bus.close()


def test_a_bus_is_closed_in_good_order(amqp: MakeAmqp, rabbitmq: Broker, vhost: str, vhost_tls: str) -> None:
    bus = amqp(vhost_tls, pace=replace(QUICK, answer_s=60.0))
    bus.serve("here", Seen())
    within(30, bus.close)
    wait_until(lambda: connections(rabbitmq, vhost) == [], "no connection left")


def test_dead_letters_are_read_over_tls(amqp: MakeAmqp, vhost_tls: str) -> None:
    bus = amqp(vhost_tls, gate=lambda _sender, _message: False)
    bus.serve("here", Seen())
    bus.cast("here", ready("a"))
    [letter] = wait_until(DeadLetters(vhost_tls).every, "a dead letter")
    assert letter.topic == "here"
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        DeadLetters(vhost_tls.partition("?")[0]).every()


def test_a_hosts_account_is_made_and_used_over_tls(
    amqp: MakeAmqp, rabbitmq: Broker, vhost_tls: str, tmp_path: Path
) -> None:
    own = rabbitmq.authority.certify("127.0.0.1", tmp_path / "own.pem")
    files = TlsFiles(ca_file=str(rabbitmq.authority.path), cert_file=str(own))
    management = rabbitmq.over_tls(rabbitmq.management_url.replace("://", "://guest:guest@"))
    accounts = RabbitAccounts(files.put_into(management), files.put_into(vhost_tls))
    plane, seen = amqp(vhost_tls), Seen()
    plane.serve("conductor", seen)
    try:
        url = accounts.create("a")
        assert (urlsplit(url).scheme, urlsplit(url).port) == ("amqps", rabbitmq.tls_port)
        assert TlsFiles.of(url) == TlsFiles()  # the control plane's files are nothing to a host
        at_host = TlsFiles(ca_file=str(rabbitmq.authority.path)).put_into(url)
        assert amqp(at_host).call("conductor", Heartbeat(hosts=("a",)), timeout_s=WAIT_S) == Ok()
        accounts.remove("a")
    finally:
        accounts.close()


def test_a_management_api_of_another_authority_is_not_given_the_password(rabbitmq: Broker, vhost_tls: str) -> None:
    accounts = RabbitAccounts(rabbitmq.over_tls(rabbitmq.management_url), vhost_tls)
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        accounts.hosts()
    accounts.close()
