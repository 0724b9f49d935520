"""
What guests' packets may be for beyond their networks: looked at where they leave a gateway, before anything is done to them.

In *prerouting* and before destinations are rewritten, so one place judges what is forwarded and what is for the machine itself,
and a port that the machine publishes for a container of its own is as closed as its other ports. Every packet is judged by where
it goes, with no regard to flows: what is closed later is closed at once. The kernel knows the machine's own addresses (`fib`).
"""

from __future__ import annotations

from collections.abc import Sequence

from kilonova.agent.network.beyond import Beyond
from kilonova.agent.network.firewall.text import chain, named_set, quoted
from kilonova.domain.reach import Opening


def outbound_lines(uplinks: Sequence[str], beyond: Beyond) -> list[str]:
    """Sets and chains of the inet table; `uplinks`: the machine's ends of the gateways' cables."""
    four, six = ([str(one) for one in beyond.closed if one.version == version] for version in (4, 6))
    rules = [
        "iifname != @uplinks accept",
        "jump opened",
        "fib daddr type != unicast drop",
        "ip daddr @closed4 drop",
        "ip6 daddr @closed6 drop",
    ]
    return [
        *named_set("uplinks", "type ifname;", [quoted(name) for name in uplinks]),
        *named_set("closed4", "type ipv4_addr; flags interval;", four),
        *named_set("closed6", "type ipv6_addr; flags interval;", six),
        *chain("opened", map(_opened, beyond.opened)),
        *chain("outbound", rules, "filter hook prerouting priority -150"),
    ]


def to_the_machine() -> str:
    """For the inet table's input: what is opened may be the machine's own."""
    return "iifname @uplinks jump opened"


def _opened(opening: Opening) -> str:
    port = "" if opening.port is None else f" meta l4proto {{ tcp, udp }} th dport {opening.port}"
    return f"{'ip' if opening.range.version == 4 else 'ip6'} daddr {opening.range}{port} accept"
