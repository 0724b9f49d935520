import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.compute.names import host_label, server_name

ID = "0e44cc9c-e052-415d-afbf-469b0d384170"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("web", "web"),
        ("My Server_1.example", "my-server-1-example"), ("Café", "cafe"), ("--a--", "a"), ("日本", f"server-{ID}"),
        ("", f"server-{ID}"), ("x" * 80, "x" * 63), ("a!b?c", "a-b-c"),
    ],
)  # fmt: skip
def test_a_display_name_becomes_a_host_label(name: str, label: str) -> None:
    assert host_label(name, ID) == label


@given(st.text(max_size=300))
def test_whatever_the_name_the_label_is_one_that_dns_takes(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", host_label(name, ID))


def test_several_servers_are_numbered_from_one_and_a_single_one_is_not() -> None:
    assert [server_name("web", i, 2) for i in range(2)] == ["web-1", "web-2"]
    assert server_name("web", 0, 1) == "web"
