from typing import Any

import pytest

from kilonova.api.framework import types as t

ACCEPTED = [
    (t.read_flag, True, True),
    (t.read_flag, "on", True),
    (t.read_flag, "TRUE", True),
    (t.read_flag, 1, True),
    (t.read_flag, "No", False),
    (t.read_flag, "0", False),
    (t.read_int, "42", 42),
    (t.read_int, -3, -3),
    (t.check_uuid, "C7D1C6A0-8B11-4FDE-9D2A-5A1B7C0A5F31", "C7D1C6A0-8B11-4FDE-9D2A-5A1B7C0A5F31"),
    (t.check_uuid, "c7d1c6a08b114fde9d2a5a1b7c0a5f31", "c7d1c6a08b114fde9d2a5a1b7c0a5f31"),
    (t.check_name, "a b", "a b"),
    (t.check_name, "日本", "日本"),
    (t.read_base64, "aGk=\n", b"hi"),
    (t.check_ip, "::1", "::1"),
    (t.check_ipv4, "10.0.0.1", "10.0.0.1"),
    (t.check_ipv6, "fe80::1", "fe80::1"),
    (t.check_cidr, "10.0.0.1/8", "10.0.0.1/8"),
    (t.check_mac, "FA:16:3E:00:00:01", "fa:16:3e:00:00:01"),
    (t.check_hostname, "a-b.c", "a-b.c"),
    (t.check_url, "http://a/b", "http://a/b"),
    (t.check_metadata_key, "a:b c", "a:b c"),
]
REFUSED = [
    (t.read_flag, "maybe"),
    (t.read_flag, 2),
    (t.read_flag, ""),
    (t.read_int, "4.2"),
    (t.read_int, True),
    (t.read_int, "٤"),
    (t.read_int, "4\n"),
    (t.read_int, "9" * 30),
    (t.check_uuid, "{c7d1c6a0-8b11-4fde-9d2a-5a1b7c0a5f31}"),
    (t.check_uuid, "urn:uuid:c7d1c6a0-8b11-4fde-9d2a-5a1b7c0a5f31"),
    (t.check_uuid, "c7d1"),
    (t.check_name, " a"),
    (t.check_name, "a\n"),
    (t.check_name, "a\x00b"),
    (t.check_name, "a\x1bb"),
    (t.read_base64, "a"),
    (t.read_base64, "é==="),
    (t.check_ip, "10.0.0.1/8"),
    (t.check_ip, "10.1"),
    (t.check_ipv4, "::1"),
    (t.check_ipv6, "10.0.0.1"),
    (t.check_cidr, "10.0.0.1"),
    (t.check_cidr, "10.0.0.0/33"),
    (t.check_mac, "fa:16:3e:00:00"),
    (t.check_mac, "01:00:5e:00:00:01"),
    (t.check_mac, "fa:16:3e:00:00:01\n"),
    (t.check_hostname, "-a"),
    (t.check_hostname, "a_b c"),
    (t.check_url, "/b"),
    (t.check_url, "http://[::1"),
    (t.check_metadata_key, "a/b"),
    (t.check_metadata_key, ""),
    (t.check_metadata_key, "a" * 256),
    (t.read_time, "yesterday"),
]


@pytest.mark.parametrize(("read", "value", "meaning"), ACCEPTED)
def test_what_clients_send_is_understood(read: Any, value: Any, meaning: Any) -> None:
    assert read(value) == meaning


@pytest.mark.parametrize(("read", "value"), REFUSED)
def test_what_means_nothing_is_refused_in_words(read: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        read(value)


def test_times_are_aware_and_written_as_openstack_does() -> None:
    moment = t.read_time("2024-05-01T14:00:00.5+02:00")
    assert t.iso_z(moment) == "2024-05-01T12:00:00Z"
    assert t.iso_us(moment) == "2024-05-01T12:00:00.500000"
    assert t.iso_us(t.read_time("2024-05-01T12:00:00Z")) == "2024-05-01T12:00:00.000000"
    assert t.read_time("2024-05-01").tzinfo is not None
    assert t.iso_z(None) is None
    assert t.iso_us(None) is None


def test_long_values_are_not_quoted_whole() -> None:
    with pytest.raises(ValueError, match=r"\.\.\.") as caught:
        t.check_ip("x" * 5000)
    assert len(str(caught.value)) < 200
