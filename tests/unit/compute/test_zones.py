import pytest

from kilonova.compute.zones import ZoneChoice, parse_zone
from kilonova.domain.errors import Rejected


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        (None, ZoneChoice()), ("nova", ZoneChoice(zone="nova")), ("nova:h1", ZoneChoice(zone="nova", host="h1")),
        ("nova::n1", ZoneChoice(zone="nova", node="n1")), ("nova:h1:n1", ZoneChoice(zone="nova", host="h1", node="n1")),
        (":h1", ZoneChoice(host="h1")),
    ],
)  # fmt: skip
def test_a_zone_is_read(text: str | None, choice: ZoneChoice) -> None:
    assert parse_zone(text) == choice
    assert choice.is_forced is (choice.host is not None or choice.node is not None)


def test_a_fourth_part_is_refused() -> None:
    with pytest.raises(Rejected, match="ZONE:HOST:NODE"):
        parse_zone("a:b:c:d")
