"""Many at once at what there is too little of: limits hold exactly, nothing is given twice, nothing is left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.story.hostile.world import World, wait


def at_once(what: Callable[[int], Any], count: int = 20) -> list[Any]:
    """Do it in many threads; gives the responses."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(what, range(count)))


def statuses(answers: list[Any]) -> Counter[int]:
    for answer in answers:
        assert answer.status_code < 500, answer.text
    return Counter(answer.status_code for answer in answers)


@pytest.fixture
def image(cloud: World) -> str:
    return cloud.a.image()


def empty(cloud: World) -> None:
    """Delete a's servers, and see that their quota comes back."""
    for server in cloud.a.ok("GET", "compute /servers")["servers"]:
        cloud.a.ok("DELETE", f"compute /servers/{server['id']}")
    wait(lambda: not cloud.a.ok("GET", "compute /servers")["servers"])
    used = cloud.a.ok("GET", "compute /limits")["limits"]["absolute"]
    assert (used["totalInstancesUsed"], used["totalCoresUsed"], used["totalRAMUsed"]) == (0, 0, 0)
    assert cloud.orphans() == {}


def test_of_twenty_servers_at_once_the_quota_takes_ten(cloud: World, image: str) -> None:
    assert statuses(at_once(lambda i: cloud.a.boot(image, name=f"s{i}"))) == {202: 10, 403: 10}
    assert len(cloud.a.ok("GET", "compute /servers")["servers"]) == 10
    empty(cloud)


def test_requests_for_several_take_all_or_nothing(cloud: World, image: str) -> None:
    answers = at_once(lambda i: cloud.a.boot(image, name=f"m{i}", min_count=4, max_count=4), 8)
    assert statuses(answers) == {202: 2, 403: 6}
    assert len(cloud.a.ok("GET", "compute /servers")["servers"]) == 8
    empty(cloud)


def test_the_networks_quotas_hold_too(cloud: World) -> None:
    cloud.admin.ok(
        "PUT", f"network /quotas/{cloud.a.project_id}", {"quota": {"network": 5, "security_group": 4, "port": 5}}
    )
    there = len(
        cloud.a.ok("GET", "network /security-groups")["security_groups"]
    )  # the default one comes with the first look
    made = at_once(lambda i: cloud.a.send("POST", "network /networks", {"network": {"name": f"n{i}"}}))
    assert statuses(made) == {201: 5, 409: 15}
    groups = at_once(lambda i: cloud.a.send("POST", "network /security-groups", {"security_group": {"name": f"g{i}"}}))
    assert statuses(groups) == {201: 4 - there, 409: 16 + there}
    one = next(answer for answer in made if answer.status_code == 201).json()["network"]["id"]
    ports = at_once(lambda i: cloud.a.send("POST", "network /ports", {"port": {"network_id": one}}))
    assert statuses(ports) == {201: 5, 409: 15}
    cloud.admin.ok("DELETE", f"network /quotas/{cloud.a.project_id}")


def test_no_address_is_given_twice(cloud: World) -> None:
    network = cloud.b.make("network", name="small")["id"]
    subnet = cloud.b.make("subnet", network_id=network, cidr="10.88.0.0/28", ip_version=4)["id"]
    answers = at_once(lambda i: cloud.b.send("POST", "network /ports", {"port": {"network_id": network}}))
    assert statuses(answers) == {201: 13, 409: 7}  # 16, less the range's two ends and the gateway
    given = [answer.json()["port"]["fixed_ips"][0]["ip_address"] for answer in answers if answer.status_code == 201]
    assert len(set(given)) == 13
    for port in cloud.b.ok("GET", f"network /ports?network_id={network}")["ports"]:
        cloud.b.ok("DELETE", f"network /ports/{port['id']}")
    wish = {"port": {"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.88.0.9"}]}}
    assert statuses(at_once(lambda i: cloud.b.send("POST", "network /ports", wish))) == {201: 1, 409: 19}


def test_overlapping_subnets_race_for_one_place(cloud: World) -> None:
    network = cloud.b.make("network", name="contested")["id"]
    answers = at_once(
        lambda i: cloud.b.send(
            "POST", "network /subnets", {"subnet": {"network_id": network, "cidr": f"10.90.0.{i}/24", "ip_version": 4}}
        )
    )
    assert statuses(answers) == {201: 1, 400: 19}


def test_one_port_goes_to_one_server(cloud: World, image: str) -> None:
    network = cloud.a.make("network", name="for one")["id"]
    cloud.a.make("subnet", network_id=network, cidr="10.89.0.0/24", ip_version=4)
    port = cloud.a.make("port", network_id=network)["id"]
    answers = at_once(lambda i: cloud.a.boot(image, networks=[{"port": port}]), 8)
    assert set(statuses(answers)) <= {202, 400, 409}
    made = [answer.json()["server"]["id"] for answer in answers if answer.status_code == 202]
    ended = [cloud.a.settled(ident) for ident in made]
    holders = [server["id"] for server in ended if server["status"] == "ACTIVE"]
    assert len(holders) == 1, [server["status"] for server in ended]
    assert cloud.a.ok("GET", f"network /ports/{port}")["port"]["device_id"] == holders[0]
    empty(cloud)
    assert cloud.a.ok("GET", f"network /ports/{port}")["port"]["device_id"] == ""


def test_a_port_twice_in_one_request_is_refused(cloud: World, image: str) -> None:
    network = cloud.a.make("network", name="twice")["id"]
    cloud.a.make("subnet", network_id=network, cidr="10.91.0.0/24", ip_version=4)
    port = cloud.a.make("port", network_id=network)["id"]
    assert cloud.a.boot(image, networks=[{"port": port}, {"port": port}]).status_code == 400
    assert cloud.a.boot(image, networks=[{"port": port}], min_count=2).status_code == 400
    assert cloud.a.ok("GET", f"network /ports/{port}")["port"]["device_id"] == ""


def test_of_two_uploads_at_once_one_becomes_the_image(cloud: World) -> None:
    ident = cloud.a.image(None)
    octets = {"Content-Type": "application/octet-stream"}
    contents = [bytes([i]) * 300_000 for i in range(6)]
    answers = at_once(lambda i: cloud.a.send("PUT", f"image /images/{ident}/file", contents[i], headers=octets), 6)
    assert statuses(answers) == {204: 1, 409: 5}
    winner = next(i for i, answer in enumerate(answers) if answer.status_code == 204)
    assert cloud.a.send("GET", f"image /images/{ident}/file").content == contents[winner]
    cloud.a.ok("DELETE", f"image /images/{ident}")
    assert cloud.orphans() == {}


def test_a_server_deleted_while_it_boots_by_everybody_at_once_is_gone(cloud: World, image: str) -> None:
    for _ in range(5):
        ident = cloud.a.booted(image)
        gone = at_once(lambda i, ident=ident: cloud.a.send("DELETE", f"compute /servers/{ident}"), 8)
        assert set(statuses(gone)) <= {204, 404}
        assert 204 in statuses(gone)
        wait(lambda ident=ident: cloud.a.send("GET", f"compute /servers/{ident}").status_code == 404)
        cloud.a.refused(404, "DELETE", f"compute /servers/{ident}")
    empty(cloud)


def test_of_many_who_take_one_name_one_has_it(cloud: World) -> None:
    key = {"keypair": {"name": "same", "type": "ssh", "public_key": "ssh-rsa"}}
    assert set(statuses(at_once(lambda i: cloud.a.send("POST", "compute /os-keypairs", key)))) == {400}
    user = {"user": {"name": "same", "password": "long-enough-1"}}
    assert statuses(at_once(lambda i: cloud.admin.send("POST", "identity /users", user), 8)) == {201: 1, 409: 7}
    flavor = {"flavor": {"name": "same", "id": "same", "ram": 64, "vcpus": 1, "disk": 1}}
    assert statuses(at_once(lambda i: cloud.admin.send("POST", "compute /flavors", flavor), 8)) == {200: 1, 409: 7}


def test_a_network_is_not_deleted_under_a_port_that_is_being_made(cloud: World) -> None:
    for round_ in range(4):
        network = cloud.b.make("network", name="brief")["id"]
        cloud.b.make("subnet", network_id=network, cidr=f"10.92.{round_}.0/24", ip_version=4)

        def act(i: int, network: str = network) -> Any:
            if i % 2:
                return cloud.b.send("DELETE", f"network /networks/{network}")
            return cloud.b.send("POST", "network /ports", {"port": {"network_id": network}})

        assert set(statuses(at_once(act, 10))) <= {201, 204, 404, 409}
        left = cloud.b.ok("GET", f"network /ports?network_id={network}")["ports"]
        assert not left or cloud.b.ok("GET", f"network /networks/{network}")
    assert cloud.orphans() == {}
