"""Other users of a host: of what its guests are made of and speak through, nothing is theirs to read or to talk to."""

from __future__ import annotations

import re
from pathlib import Path

from kilonova.agent.hypervisor.libvirt.xml import NAMESPACE
from tests.privacy import open_to_others
from tests.realcloud import DATA_DIR
from tests.system.guests import Guests

USER_DATA = "#!/bin/sh\necho a secret of the tenant's\n"


def test_nothing_that_a_host_keeps_can_be_read_by_other_users(guests: Guests) -> None:
    whole = guests.ask_for("whole", image=guests.qcow2, user_data=USER_DATA, config_drive=True)
    parts = guests.ask_for("parts", user_data=USER_DATA)
    for server_id in (whole, parts):
        guests.wait_until_ready(server_id)
    place = guests.lab
    home = DATA_DIR.with_name(f"{DATA_DIR.name}-home")
    for folder in (DATA_DIR, Path("/run/kilonova"), *([home] if place.path(home).exists() else [])):
        assert open_to_others(place.path(folder)) == []
    assert guests.cloud.audit()["total"] == 0
    guests.cloud.delete(whole, parts)


def test_what_an_earlier_release_left_open_is_closed_when_the_host_starts(guests: Guests) -> None:
    server_id = guests.ask_for("opened", config_drive=True)
    guests.wait_until_ready(server_id)
    place = guests.lab
    [host] = place.path(DATA_DIR / "hosts").iterdir()
    for path in (host, *host.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    assert open_to_others(host) != []
    guests.cloud.kill()
    guests.cloud.start()
    assert open_to_others(place.path(DATA_DIR)) == []
    # And QEMU can still open its files: one that is started anew must.
    guests.cloud.compute("POST", f"/servers/{server_id}/action", {"os-getConsoleOutput": {}})
    name = place.run("virsh", "list", "--name").split()[0]
    place.run("virsh", "destroy", name)
    place.run("virsh", "start", name)
    assert place.run("virsh", "domstate", name).strip() == "running"
    guests.cloud.delete(server_id)


def test_nothing_of_a_guest_listens_where_other_users_reach_it(guests: Guests) -> None:
    server_id = guests.ask_for("quiet")
    guests.wait_until_ready(server_id)
    place = guests.lab
    listening = place.run("ss", "-H", "-ltnup")
    assert "qemu" not in listening, listening
    [pid] = guests.processes().values()
    sockets = set(re.findall(r" (/\S+)$", place.run("sh", "-c", f"cat /proc/{pid}/net/unix"), re.MULTILINE))
    mine = [path for path in sockets if "/lib/libvirt/qemu/" in path]
    assert any(path.endswith("monitor.sock") for path in mine)
    assert any(path.endswith("vnc.sock") for path in mine), "the screen is served nowhere"
    for folder in ("/var/lib/libvirt/qemu", "/run/libvirt/qemu", "/etc/libvirt/qemu", "/var/log/libvirt"):
        found = open_to_others(place.path(Path(folder)))
        # libvirt lets others list some of its own folders, and read the numbers of processes.
        assert [path for path in found if not Path(path).is_dir() and not path.endswith(".pid")] == []
    xml = place.run("virsh", "dumpxml", server_id)
    assert NAMESPACE in xml
    for pty in re.findall(r"/dev/pts/\d+", xml):
        assert place.path(Path(pty)).stat().st_mode & 0o006 == 0
    guests.cloud.delete(server_id)
