"""How a host comes in, proves who it is, and goes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest

from kilonova.compute.host_access import HostAccess, Welcome
from kilonova.compute.services import SwitchServices
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.allocation import Claim
from kilonova.domain.clock import Ids
from kilonova.domain.errors import Conflict, Missing, Rejected, Unauthenticated, Unavailable
from kilonova.domain.host import Host, HostDefaults
from kilonova.domain.host_access import Refusal
from kilonova.rpc.inprocess import InProcessBus
from kilonova.runtime import Runtime
from kilonova.store.database import Database
from kilonova.store.queries import host_access, hosts
from tests.fakes.accounts import RememberedAccounts
from tests.unit.scheduler.building import facts
from tests.world.clock import ManualClock

HERE = "192.0.2.7"
HOUR = timedelta(hours=1)


@dataclass
class Door:
    """The use cases with what is around them."""

    database: Database
    clock: ManualClock
    accounts: RememberedAccounts
    access: HostAccess

    def token(self, host: str | None = None, lifetime: timedelta = HOUR) -> str:
        return self.access.issue(host=host, lifetime=lifetime, created_by="admin").text

    def join(self, name: str = "one", token: str | None = None) -> Welcome:
        return self.access.join(self.token() if token is None else token, name, HERE)

    def refusals(self) -> list[Refusal]:
        with self.database.read() as tx:
            return host_access.refused(tx)

    def is_live(self, name: str) -> bool:
        with self.database.read() as tx:
            return name in host_access.live_hosts(tx)

    def started(self, name: str) -> Host:
        """What its agent's first word does."""
        with self.database.write() as tx:
            return hosts.register(tx, name, "b", facts(), defaults=HostDefaults(), ids=Ids(), now=self.clock.now()).host


@pytest.fixture
def door(database: Database) -> Door:
    clock, accounts = ManualClock(), RememberedAccounts()
    runtime = Runtime(db=database, bus=InProcessBus(), clock=clock, ids=Ids())
    access = HostAccess(runtime, accounts=accounts, refusals=RefusalLog(database, clock))
    return Door(database, clock, accounts, access)


def test_a_host_that_joined_can_prove_who_it_is(door: Door) -> None:
    told = door.join()
    assert (told.host, told.generation, told.bus_url) == ("one", 1, "amqp://host.one:1@broker/kilonova")
    assert door.access.authenticate("one", told.secret, HERE) == "one"
    assert door.is_live("one")
    for name, secret in (("one", ""), ("one", told.secret + "x"), ("two", told.secret), ("", ""), ("\x00", "y")):
        with pytest.raises(Unauthenticated):
            door.access.authenticate(name, secret, HERE)


def test_a_token_is_good_once(door: Door) -> None:
    token = door.token()
    door.join("one", token)
    with pytest.raises(Unauthenticated, match="the token was used"):
        door.join("two", token)
    assert not door.is_live("two")
    assert [(one.sender, one.what, one.why, one.about) for one in door.refusals()] == [
        (f"address {HERE}", "join", "the token was used", "two")
    ]


def test_of_two_hosts_with_one_token_one_joins(door: Door) -> None:
    token = door.token()
    joined, refused = [], []
    ready = threading.Barrier(4)

    def try_it(name: str) -> None:
        ready.wait(10)
        try:
            joined.append(door.join(name, token).host)
        except Unauthenticated:
            refused.append(name)

    threads = [threading.Thread(target=try_it, args=(f"host-{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(joined), len(refused)) == (1, 3)
    assert list(door.accounts.held) == joined


def test_a_token_expires(door: Door) -> None:
    token = door.token(lifetime=timedelta(minutes=1))
    door.clock.advance(60)
    with pytest.raises(Unauthenticated, match="has expired"):
        door.join("one", token)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(days=31)])
def test_a_token_lives_for_a_while_and_not_for_ever(door: Door, lifetime: timedelta) -> None:
    with pytest.raises(Rejected):
        door.token(lifetime=lifetime)


def test_a_wrong_token_lets_nobody_in(door: Door) -> None:
    token = door.token()
    ident, _, secret = token.partition(".")
    for wrong in ("", ".", ident, f"{ident}.", f"{ident}.{secret}x", f".{secret}", f"{secret}.{ident}", "x" * 5000):
        with pytest.raises(Unauthenticated, match="there is no such token"):
            door.join("one", wrong)
    assert door.join("one", token).host == "one"


def test_a_token_for_one_host_is_for_no_other(door: Door) -> None:
    token = door.token("one")
    with pytest.raises(Unauthenticated, match="another host"):
        door.join("two", token)
    assert door.join("one", token).host == "one"


def test_only_a_token_of_its_own_replaces_a_host(door: Door) -> None:
    first = door.join("one")
    with pytest.raises(Conflict, match="There is a host one already") as told:
        door.join("one")
    assert "kilonova host token --host one" in told.value.next_step
    second = door.join("one", door.token("one"))
    assert (second.generation, second.secret != first.secret) == (2, True)
    with pytest.raises(Unauthenticated):
        door.access.authenticate("one", first.secret, HERE)
    assert door.access.authenticate("one", second.secret, HERE) == "one"


def test_a_host_without_a_credential_is_nobodys_to_take_either(door: Door) -> None:
    door.started("sim-1")
    with pytest.raises(Conflict):
        door.join("sim-1")


@pytest.mark.parametrize("name", ["", "-a", "a-", ".", "a b", "a/b", "ä", "a" * 64, "a\n", "*"])
def test_a_host_has_a_hosts_name(door: Door, name: str) -> None:
    with pytest.raises(Rejected):
        door.join(name)


def test_a_join_that_the_bus_cannot_carry_out_can_be_tried_again(door: Door) -> None:
    token = door.token()
    door.accounts.is_down = True
    with pytest.raises(Unavailable):
        door.join("one", token)
    assert not door.is_live("one")
    door.accounts.is_down = False
    assert door.join("one", token).host == "one"


def test_a_removed_host_is_gone_with_all_that_it_had(door: Door) -> None:
    told = door.join("one")
    door.started("one")
    door.access.remove("one")
    assert (door.is_live("one"), door.accounts.held) == (False, {})
    with pytest.raises(Unauthenticated):
        door.access.authenticate("one", told.secret, HERE)
    with door.database.read() as tx:
        assert hosts.by_name(tx, "one") is None
    assert door.join("one").generation == 2  # a new one may have its name


def test_a_host_that_is_removed_while_a_server_comes_either_stays_or_takes_it_not(door: Door) -> None:
    for number in range(8):
        host = door.started(f"host-{number}")
        start = threading.Barrier(2)
        found: dict[str, bool] = {}

        def take(host: Host = host, start: threading.Barrier = start, found: dict[str, bool] = found) -> None:
            wanted = Claim(server_id=f"server-{host.name}", vcpus=1, ram_mib=1, disk_gib=1)
            start.wait(10)
            with door.database.write() as tx:
                found["taken"] = hosts.claim(tx, host.id, wanted, door.clock.now()) is not None

        thread = threading.Thread(target=take)
        thread.start()
        start.wait(10)
        try:
            door.access.remove(host.name)
            found["removed"] = True
        except Conflict:
            found["removed"] = False
        thread.join(30)
        assert found["taken"] is not found["removed"]  # which of the two was quicker is chance


def test_a_removal_that_the_bus_cannot_carry_out_shuts_the_host_out_and_can_be_done_again(door: Door) -> None:
    door.join("one")
    door.accounts.is_down = True
    with pytest.raises(Unavailable):
        door.access.remove("one")
    assert not door.is_live("one")
    door.accounts.is_down = False
    door.access.remove("one")
    assert door.accounts.held == {}


def test_a_host_that_never_was_is_missing(door: Door) -> None:
    with pytest.raises(Missing):
        door.access.remove("nobody")


def test_deleting_the_service_takes_the_credential_too(door: Door) -> None:
    door.join("one")
    switch = SwitchServices(Runtime(db=door.database, bus=InProcessBus(), clock=door.clock, ids=Ids()))
    switch.delete(door.started("one").service_id)
    assert not door.is_live("one")


def test_no_secret_is_kept_or_logged(door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    token = door.token()
    told = door.join("one", token)
    with pytest.raises(Unauthenticated):
        door.join("two", token)
    with door.database.read() as tx:
        kept = f"{host_access.tokens(tx)}{host_access.credential(tx, 'one')}{host_access.token(tx, token[:36])}"
    said = "".join(capfd.readouterr())
    for secret in (token.partition(".")[2], told.secret, told.bus_url):
        assert secret not in kept + said


def test_refusals_are_bounded(door: Door) -> None:
    with door.database.write() as tx:
        for number in range(host_access.KEPT_REFUSALS + 20):
            at = door.clock.now() + timedelta(seconds=number)
            host_access.refuse(
                tx,
                Refusal(sender=f"address {number}", what="join", why="x", about="", times=1, first_at=at, last_at=at),
            )
    kept = door.refusals()
    assert len(kept) == host_access.KEPT_REFUSALS
    assert kept[-1].sender == "address 20"
