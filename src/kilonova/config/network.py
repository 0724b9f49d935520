"""The section of networks: what they are, and what their guests are kept from."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from kilonova.config.section import Section
from kilonova.domain.addresses import ip_network
from kilonova.domain.reach import read_opening


class NetworkSection(Section, frozen=True, kw_only=True):
    """Networks, and the one that a first start makes."""

    default_cidr: Annotated[str, Meta(description="The range of the network that a first start makes.")] = (
        "10.42.0.0/16"
    )
    type: Annotated[
        Literal["vxlan", "flat"],
        Meta(description="What networks are: vxlan spans hosts and may overlap others; flat is each host's own."),
    ] = "vxlan"
    underlay_mtu: Annotated[
        int, Meta(ge=1280, le=65535, description="The MTU of the wire between hosts, in bytes; VXLAN takes 50 of it.")
    ] = 1500
    first_vni: Annotated[
        int, Meta(ge=1, le=(1 << 24) - 1, description="The first of the ids that VXLAN networks are given.")
    ] = 10_000
    last_vni: Annotated[
        int, Meta(ge=1, le=(1 << 24) - 1, description="The last of them; at most 65535 networks are on one host.")
    ] = 75_534
    reserved_ranges: Annotated[
        tuple[str, ...],
        Meta(
            description='Ranges that no subnet may overlap, such as those of the operator\'s own network: ["10.0.0.0/16"].'
        ),
    ] = ()
    closed_to_guests: Annotated[
        tuple[str, ...],
        Meta(
            description="Ranges that guests cannot reach, besides those that are reserved and the addresses of hosts, bus,"
            " database and API, which are closed anyway."
        ),
    ] = ()
    open_to_guests: Annotated[
        tuple[str, ...],
        Meta(
            description="What guests reach though it is closed, RANGE or RANGE:PORT, so that they may use the API, for one:"
            ' ["203.0.113.5:8774"].'
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Ranges are ranges."""
        for text in (*self.reserved_ranges, *self.closed_to_guests):
            ip_network(text)
        for text in self.open_to_guests:
            read_opening(text)
