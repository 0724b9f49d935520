from __future__ import annotations

from typing import Any

import httpx2
import pytest

from kilonova.cli import choose
from kilonova.cli.accounts import Account
from kilonova.cli.client import Client
from kilonova.cli.errors import CliError

ID = "11111111-2222-3333-4444-555555555555"
IMAGES = [
    {"id": ID, "name": "old", "os_distro": "debian", "created_at": "2026-01-01", "container_format": "bare"},
    {"id": "i2", "name": "new", "os_distro": "debian", "created_at": "2026-02-01", "container_format": "bare"},
    {"id": "i3", "name": "kernel", "created_at": "2026-03-01", "container_format": "aki"},
]
FLAVORS = [
    {"id": "1", "name": "nano", "ram": 64, "vcpus": 1, "disk": 1},
    {"id": "2", "name": "tiny", "ram": 512, "vcpus": 1, "disk": 1},
    {"id": "3", "name": "tall", "ram": 512, "vcpus": 1, "disk": 20},
    {"id": "4", "name": "none", "ram": 32, "vcpus": 1, "disk": 0},
]
SERVERS = [{"id": "s1", "name": "web"}, {"id": "s2", "name": "twin"}, {"id": "s3", "name": "twin"}]


def client(images: list[dict[str, Any]] = IMAGES) -> Client:
    bodies: dict[str, Any] = {
        "/image/v2/images": {"images": images}, f"/image/v2/images/{ID}": IMAGES[0],
        "/compute/v2.1/flavors/detail": {"flavors": FLAVORS}, "/compute/v2.1/servers": {"servers": SERVERS},
        "/compute/v2.1/servers/detail": {"servers": SERVERS},
        "/compute/v2.1/os-keypairs": {"keypairs": [{"keypair": {"name": "mine"}}]},
        "/networking/v2.0/networks": {"networks": [{"id": "n1", "name": "blue"}]},
    }  # fmt: skip

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/auth/tokens"):
            paths = {"compute": "/compute/v2.1", "image": "/image", "network": "/networking"}
            catalog = [
                {"type": t, "endpoints": [{"interface": "public", "url": f"http://c{p}"}]} for t, p in paths.items()
            ]
            return httpx2.Response(201, json={"token": {"catalog": catalog}}, headers={"X-Subject-Token": "t"})
        body = bodies.get(request.url.path)
        return (
            httpx2.Response(200, json=body) if body else httpx2.Response(404, json={"itemNotFound": {"message": "no"}})
        )

    account = Account(auth_url="http://c/identity/v3", auth={"token": "x"}, source="here")
    return Client(account, transport=httpx2.MockTransport(answer))


def test_an_id_is_asked_for_and_a_name_looked_up() -> None:
    with client() as one:
        assert choose.image(one, ID)["name"] == "old"
        assert choose.image(one, "new")["id"] == "i2"
        assert choose.flavor(one, "2")["name"] == "tiny"
        assert choose.flavor(one, "tall")["id"] == "3"
        assert choose.server(one, "web")["id"] == "s1"
        assert choose.network_id(one, "blue") == "n1"
        assert choose.key_name(one, "mine") == "mine"


@pytest.mark.parametrize(
    ("find", "ref", "said"),
    [
        (choose.server, "wep", "Did you mean 'web'"),
        (choose.server, ID, "There is no server"),
        (choose.flavor, "tyni", "Did you mean 'tiny'"),
        (choose.image, "zzz", "There is: kernel, new, old"),
        (choose.network_id, "blu", "Did you mean 'blue'"),
        (choose.key_name, "min", "Did you mean 'mine'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(find: Any, ref: str, said: str) -> None:
    with client() as one, pytest.raises(CliError, match=said) as told:
        find(one, ref)
    assert told.value.exit_code == 3


def test_a_name_of_two_is_an_error_that_lists_both() -> None:
    with client() as one, pytest.raises(CliError, match="2 servers are called 'twin': s2, s3") as told:
        choose.server(one, "twin")
    assert told.value.exit_code == 2


def test_an_image_by_its_properties_is_the_newest() -> None:
    with client() as one:
        found, matching = choose.image_with(one, {"os_distro": "debian"})
        assert (found["name"], matching) == ("new", 2)
        with pytest.raises(CliError, match="os_distro=plan9"):
            choose.image_with(one, {"os_distro": "plan9"})


def test_an_image_is_chosen_only_when_there_is_no_choice() -> None:
    with client(IMAGES[1:]) as one:
        assert choose.default_image(one)["name"] == "new"
    with client() as one, pytest.raises(CliError, match="There are 2 images: new, old"):
        choose.default_image(one)
    with client(IMAGES[2:]) as one, pytest.raises(CliError, match="no image to boot from"):
        choose.default_image(one)


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ({"size": 100}, "nano"),
        ({"min_ram": 100}, "tiny"),
        ({"virtual_size": (1 << 30) + 1}, "tall"),
        ({"min_disk": 15, "min_ram": 1}, "tall"),
    ],
)
def test_the_smallest_flavor_that_fits(image: dict[str, int], wanted: str) -> None:
    assert choose.smallest_flavor(FLAVORS, {"id": "i", "name": None} | image)["name"] == wanted


def test_no_flavor_fits() -> None:
    with pytest.raises(CliError, match="needs: 9999 MiB") as told:
        choose.smallest_flavor(FLAVORS, {"id": "i", "name": "big", "min_ram": 9999})
    assert told.value.exit_code == 5
