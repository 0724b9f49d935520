"""What is sealed for a host: nobody else opens it, on whatever bus it goes."""

from __future__ import annotations

import base64
import typing
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.machine import GuestData, GuestSecrets, MachineSpec
from kilonova.rpc.amqp import wire
from kilonova.rpc.bus import Bus
from kilonova.rpc.commands import EnsureServer, SetPower, UpdateGuestData
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import Message, Ok
from kilonova.rpc.sealed_bus import OpeningBus, SealingBus
from kilonova.rpc.sealing import FILE, HostKey, Unopenable, is_key, seal
from tests.waiting import wait_until

SECRET = "hunter2-nobody-shall-read"
ENCODED = base64.b64encode(SECRET.encode()).decode()
GUEST = GuestData(
    server_id="s", instance_name="i", number=1, name="web", hostname="web", project_id="p", availability_zone="z",
    launch_index=0, reservation_id="r", instance_type="small", admin_pass=SECRET, user_data=ENCODED,
    files={"/etc/key": ENCODED},
)  # fmt: skip
SPEC = MachineSpec(
    server_id="s", generation=3, instance_name="i", project_id="p", vcpus=1, ram_mib=1, disks=(), nics=(), guest=GUEST
)
ENSURE = EnsureServer(command_id="c", server_id="s", generation=3, spec=SPEC, network=HostNetwork())
UPDATE = UpdateGuestData(command_id="c", server_id="s", generation=4, guest=GUEST)


def test_the_host_opens_it_and_no_other_and_not_as_about_something_else() -> None:
    mine, other = HostKey.of_simulated("a"), HostKey.of_simulated("b")
    sealed = seal(mine.public, b"content", "about this")
    assert mine.open(sealed, "about this") == b"content"
    for key, text, about in (
        (other, sealed, "about this"),
        (mine, sealed, "about that"),
        (mine, "junk", ""),
        (mine, "", ""),
    ):
        with pytest.raises(Unopenable):
            key.open(text, about)


def test_a_key_is_kept_for_its_owners_eyes_alone_and_the_same_at_each_start(tmp_path: Path) -> None:
    made = HostKey.kept_in(tmp_path / "host")
    assert HostKey.kept_in(tmp_path / "host").public == made.public
    assert HostKey.kept_in(tmp_path / "other").public != made.public
    assert (tmp_path / "host" / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "x", "ä", base64.b64encode(b"x" * 31).decode(), base64.b64encode(bytes(32)).decode()]
)
def test_what_is_no_key_is_known(text: str) -> None:
    assert is_key(HostKey.of_simulated("a").public)
    assert not is_key(text)


class Wire(InProcessBus):
    """Remembers all that goes over it, as bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[bytes] = []

    def cast(self, topic: str, message: Message) -> None:
        self.bytes.append(wire.encode(message))
        super().cast(topic, wire.decode(self.bytes[-1]))


def heard(bus: Bus, topic: str = "agent.a") -> list[Message]:
    found: list[Message] = []

    def handler(message: Message) -> Message:
        found.append(message)
        return Ok()

    bus.serve(topic, handler)
    return found


@pytest.mark.parametrize("command", [ENSURE, UPDATE])
def test_the_host_alone_sees_what_is_secret(command: Message) -> None:
    bus, key = Wire(), HostKey.of_simulated("a")
    host = heard(OpeningBus(bus, key))
    SealingBus(bus, {"a": key.public}.get).cast("agent.a", command)
    wait_until(lambda: host, "it is heard")
    assert host == [command]
    assert SECRET.encode() not in bus.bytes[0]
    assert ENCODED.encode() not in bus.bytes[0]
    bus.close()


def test_what_was_sealed_to_an_earlier_key_counts_as_lost() -> None:
    bus, key = Wire(), HostKey.of_simulated("a")
    host = heard(OpeningBus(bus, key))
    for name in ("before", "a"):
        SealingBus(bus, lambda _, name=name: HostKey.of_simulated(name).public).cast("agent.a", ENSURE)  # type: ignore[misc]
    wait_until(lambda: host, "the second is heard")
    assert host == [ENSURE]
    bus.close()


def test_what_is_not_secret_and_what_goes_to_a_host_without_a_key_stays_as_it_is() -> None:
    bus = Wire()
    plain = msgspec.structs.replace(
        UPDATE, guest=msgspec.structs.replace(GUEST, **msgspec.structs.asdict(GuestSecrets()))
    )
    power = SetPower(command_id="c", server_id="s", generation=1, target=0)  # type: ignore[arg-type]
    for message in (plain, power):
        SealingBus(bus, lambda _: HostKey.of_simulated("a").public).cast("agent.a", message)
    SealingBus(bus, lambda _: None).cast("agent.a", UPDATE)
    assert bus.bytes == [wire.encode(one) for one in (plain, power, UPDATE)]


def test_every_message_that_has_a_guests_data_is_known_to_the_seal() -> None:
    assert {kind for kind in wire.TYPES if _leads_to(kind, GuestData)} == {EnsureServer, UpdateGuestData}


def test_no_log_shows_what_is_secret() -> None:
    for shown in (repr(ENSURE), str(UPDATE), f"{GUEST.secrets()}"):
        assert SECRET not in shown
        assert ENCODED not in shown


def _leads_to(kind: Any, wanted: type) -> bool:
    if kind is wanted:
        return True
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(_leads_to(hint, wanted) for hint in get_type_hints(kind).values() if hint is not typing.ClassVar)
    return any(_leads_to(one, wanted) for one in get_args(kind))
