"""The records are restored from a backup: hosts that saw later generations follow all the same, and obey nothing of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.agent.network_subscription import PATIENCE_S
from kilonova.domain.hostnet import ShareChange
from kilonova.domain.network import SecurityGroupRule
from kilonova.domain.report import Outcome
from kilonova.domain.saga import about_server
from kilonova.domain.server import Intent, PowerState
from kilonova.domain.status import status_of
from kilonova.network.changes import Changes
from kilonova.network.defaults import ensure_default_group
from kilonova.rpc.commands import RemoveServer, SetPower
from kilonova.rpc.messages import Message, Ok, Report, ShareChanged
from kilonova.store.database import Database
from kilonova.store.queries import network_changes, security_groups, server_facts
from kilonova.store.queries.network_changes import GROUP
from tests import records
from tests.world.plane import TENANT, World


class Cloud:
    """A world with a server, whose group's rules change."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.world = World(database, folder)
        self.server_id = self.world.boot()
        self.world.settle(60)
        self.host = str(self.world.server(self.server_id).host)

    def settle(self, seconds: int) -> None:
        """Let happen what can; hosts are told of changes of networks, too."""
        for _ in range(seconds):
            self.world.settle(1)
            self.world.network_sync.activate()

    def open_port(self, number: int) -> None:
        """Let anybody in at a port; the host is told."""
        world = self.world
        with world.db.write() as tx:
            group = ensure_default_group(tx, TENANT.project_id or "", ids=world.ids, now=world.clock.now())
            security_groups.create_rules(tx, [self._rule(group.id, number)])
            Changes(world.bus, world.clock).of_rules(tx, [group.id])
        self.settle(10)

    def close_port(self, number: int) -> None:
        """Let nobody in at it any more."""
        world = self.world
        with world.db.write() as tx:
            group = ensure_default_group(tx, TENANT.project_id or "", ids=world.ids, now=world.clock.now())
            for rule in security_groups.rules_of(tx, [group.id])[group.id]:
                if rule.port_min == number:
                    security_groups.delete_rule(tx, rule.id)
            Changes(world.bus, world.clock).of_rules(tx, [group.id])
        self.settle(10)

    def open_ports(self) -> set[int]:
        """The ports at which the host lets anybody in."""
        groups = self.world.drivers[self.host]._network.share.groups
        return {rule.port_min for group in groups for rule in group.rules if rule.port_min}

    def group_generations(self) -> tuple[int, int]:
        """The generation of the group: the host's, and the records'."""
        world = self.world
        (group,) = world.drivers[self.host]._network.share.groups
        with world.db.read() as tx:
            (standing,) = network_changes.standings(tx, GROUP, [group.id])
        return group.generation, standing.generation

    def power(self, target: PowerState, times: int) -> None:
        """Command the host so many times."""
        for _ in range(times):
            with self.world.db.write() as tx:
                server = server_facts.get(tx, self.server_id)
                generation = server_facts.next_generation(tx, server, same=False)
                server_facts.observe_power(tx, server.id, target, Intent.ACTIVE, self.world.clock.now())
            command = SetPower(command_id=f"t/{generation}", server_id=server.id, generation=generation, target=target)
            self.world.bus.cast(f"agent.{self.host}", command)
            self.world.settle(10)

    def restore(self, copy: records.Copy) -> None:
        """Put the records back while the control plane is down; hosts run on."""
        records.put_back(self.world.db, copy)
        self.world.epoch.begin("a test")
        self.world.replace_plane()

    def _rule(self, group_id: str, number: int) -> SecurityGroupRule:
        world = self.world
        return SecurityGroupRule(
            id=world.ids.uuid(), group_id=group_id, project_id=TENANT.project_id or "", direction="ingress", ethertype="IPv4",
            protocol="tcp", port_min=number, port_max=number, remote_cidr=None, remote_group=None, description="",
            created_at=world.clock.now(), updated_at=world.clock.now(),
        )  # fmt: skip


@pytest.fixture
def cloud(database: Database, tmp_path: Path) -> Cloud:
    return Cloud(database, tmp_path)


def test_what_is_closed_after_a_restore_is_closed_on_the_host(cloud: Cloud) -> None:
    cloud.open_port(22)
    copy = records.copied(cloud.world.db)
    for number in (80, 443, 8080):
        cloud.open_port(number)
    assert cloud.open_ports() == {22, 80, 443, 8080}
    cloud.restore(copy)
    host, recorded = cloud.group_generations()
    assert host > recorded + 1
    cloud.close_port(22)
    assert cloud.open_ports() == set()
    host, recorded = cloud.group_generations()
    assert host == recorded


def test_what_was_opened_since_the_backup_is_closed_though_nothing_changes(cloud: Cloud) -> None:
    copy = records.copied(cloud.world.db)
    cloud.open_port(80)
    cloud.restore(copy)
    assert cloud.open_ports() == {80}
    cloud.settle(120)  # now and then a host says what it holds
    assert cloud.open_ports() == set()


def test_a_command_after_a_restore_is_carried_out_whatever_the_host_has_seen(cloud: Cloud) -> None:
    copy = records.copied(cloud.world.db)
    cloud.power(PowerState.SHUTDOWN, times=5)
    cloud.restore(copy)
    cloud.world.delete_server(TENANT, cloud.server_id)
    cloud.world.settle(60)
    assert status_of(cloud.world.server(cloud.server_id)).status == "DELETED"
    assert cloud.world.drivers[cloud.host].observe() == []


@pytest.mark.parametrize("agents", ["run on", "start anew"])
def test_a_boot_that_was_under_way_at_the_backup_ends_well(database: Database, tmp_path: Path, agents: str) -> None:
    world = World(database, tmp_path)
    server_id = world.boot()
    while world.runner.run_due():  # until the host has its command
        pass
    copy = records.copied(database)
    world.settle(60)
    world.delete_server(TENANT, server_id)
    world.settle(60)  # its host remembers a later generation of it
    records.put_back(database, copy)
    world.epoch.begin("a test")
    if agents == "run on":
        world.replace_plane()
    else:
        world.kill()
    world.settle(300)
    assert status_of(world.server(server_id)).status == "ACTIVE"


def test_a_word_from_before_the_restore_is_not_obeyed(cloud: Cloud) -> None:
    world, before = cloud.world, cloud.world.epoch()
    cloud.open_port(22)
    cloud.restore(records.copied(world.db))
    cloud.close_port(22)
    assert world.epoch() != before
    said: list[Message] = []
    world.bus.serve("watch", lambda message: said.append(message) or Ok(), workers=0)
    reported(world, said)
    joins = sum(type(message).__name__ == "HostStarted" for message in said)
    (group,) = world.drivers[cloud.host]._network.share.groups
    change = ShareChange(id=group.id, generation=group.generation + 1, rules=())
    for _ in range(3):
        world.bus.fanout(f"share.{group.id}", ShareChanged(change=change, epoch=before))
        remove = RemoveServer(command_id="late", server_id=cloud.server_id, generation=10**6, epoch=before)
        world.bus.cast(f"agent.{cloud.host}", remove)
        cloud.settle(int(PATIENCE_S) + 1)
    assert world.drivers[cloud.host]._network.share.groups == (group,)
    assert [seen.server_id for seen in world.drivers[cloud.host].observe()] == [cloud.server_id]
    reports = [message for message in said if isinstance(message, Report)]
    assert {(report.epoch, report.outcome.fault and report.outcome.fault.code) for report in reports} == {(before, 409)}
    joins = sum(type(message).__name__ == "HostStarted" for message in said) - joins
    assert joins == 1  # it asked which epoch is the present one, and not again and again
    # What it has seen of the present epoch still counts.
    cloud.power(PowerState.SHUTDOWN, times=1)
    assert cloud.world.drivers[cloud.host].observe()[0].power_state is PowerState.SHUTDOWN


def test_a_report_from_before_the_restore_is_not_taken_for_an_answer(cloud: Cloud) -> None:
    world, before = cloud.world, cloud.world.epoch()
    cloud.restore(records.copied(world.db))
    server = world.server(cloud.server_id)
    late = Report(
        host=cloud.host, command_id="power_state/x", subject=about_server(server.id), generation=server.generation, epoch=before,
        outcome=Outcome(power_state=PowerState.SHUTDOWN, boot_id="first"),
    )  # fmt: skip
    world.bus.cast("conductor", late)
    assert world.server(server.id).power_state is PowerState.RUNNING


def reported(world: World, said: list[Message]) -> None:
    """Have `said` grow by whatever is said to the conductor from now on."""
    server = world.bus._bus._topics["conductor"][0]
    handle = server.handler

    def hear(message: Message) -> Message | None:
        said.append(message)
        return handle(message)

    server.handler = hear
