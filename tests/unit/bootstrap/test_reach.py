from __future__ import annotations

import msgspec
import pytest

from kilonova.bootstrap.reach import hosts_of, reach_settings
from kilonova.config.fleet import FleetConfig
from kilonova.config.secret import Secret
from kilonova.config.sections import ApiSection, BusSection, DatabaseSection


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("postgresql://u:p@db.example:5432/kilonova", ["db.example"]),
        ("postgresql://u:p@/k?host=a:5432&host=b:5432&target_session_attrs=read-write", ["a", "b"]),
        ("postgresql://u:p@a:1,b:2/k", ["a", "b"]),
        ("postgresql:///k?host=/run/postgresql", []),
        ("sqlite:////var/lib/k.db", []),
        (
            "amqps://u:p%40@[2001:db8::5]:5671/k?ca_file=/etc/ca.pem;amqps://u:p@203.0.113.6/k",
            ["2001:db8::5", "203.0.113.6"],
        ),
        ("https://cloud.example", ["cloud.example"]),
        ("", []),
    ],
)
def test_the_hosts_that_a_url_names(url: str, names: list[str]) -> None:
    assert list(hosts_of(url)) == names


def test_what_a_fleet_needs_is_kept_from_guests() -> None:
    config = FleetConfig(
        database=DatabaseSection(url=Secret("postgresql://u:p@203.0.113.5/k")),
        bus=BusSection(url=Secret("amqp://u:p@203.0.113.6/k"), url_for_hosts="amqp://203.0.113.7/k"),
        api=ApiSection(host="0.0.0.0", public_url="http://cloud.example:8774", health_host="203.0.113.8"),  # noqa: S104
    )
    names = {"203.0.113.5", "203.0.113.6", "203.0.113.7", "203.0.113.8", "127.0.0.1", "cloud.example"}
    assert set(reach_settings(config).names) == names
    network = msgspec.structs.replace(
        config.network, closed_to_guests=("10.0.0.0/8",), open_to_guests=("10.0.0.5:8774",)
    )
    settings = reach_settings(msgspec.structs.replace(config, network=network))
    assert (settings.closed, settings.opened) == (("10.0.0.0/8",), ("10.0.0.5:8774",))
