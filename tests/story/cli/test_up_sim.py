"""The life of a cloud as its owner sees it: up, up again, killed, up again, down, gone."""

from __future__ import annotations

import json
import os
import socket
import stat

import yaml

from tests.privacy import open_to_others
from tests.story.cli.conftest import Commands


def test_up_tells_the_way_in_and_writes_it_down(own: Commands) -> None:
    told = own.up()
    made = json.loads((own.data_dir / "credentials.json").read_text())
    for word in (
        f"http://127.0.0.1:{own.port}/identity/v3",
        made["admin_password"],
        "SQLite",
        "sim",
        "kilonova boot NAME",
    ):
        assert word in told
    for path in (own.clouds_file, own.data_dir / "clouds.yaml", own.data_dir / "credentials.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    clouds = yaml.safe_load(own.clouds_file.read_text())["clouds"]
    assert clouds["kilonova-demo"]["auth"]["password"] == made["demo_password"]
    assert own.facts("--cloud", "kilonova-demo", "ps") == []
    refused = own.run("--cloud", "kilonova-demo", "audit")
    assert (refused.exit_code, refused.stdout) == (1, "")

    assert own.up().replace("already", "") == told.replace("The cloud is up.", "The cloud is up .")
    other = own.run("up", "--hosts", "7")
    assert other.exit_code == 1
    assert "--hosts is 1, you asked for 7" in other.stderr
    here = f"kilonova --data-dir {own.data_dir}"
    assert f"Next: {here} down && {here} up --hosts 7" in other.stderr


def test_a_killed_cloud_resumes_and_a_purged_one_leaves_nothing(own: Commands) -> None:
    own.up("--hosts", "3")
    own.upload_image("tiny")
    server = own.facts("boot", "web")
    own.ok("boot", "late", "--no-wait")
    own.kill()
    assert own.run("status").exit_code == 1
    gone = own.run("ps")
    assert (gone.exit_code, "Next: kilonova up" in gone.stderr) == (1, True)

    own.ok("up")
    status = own.facts("status")
    assert (status["state"], status["hosts"]) == ("up", "3 of 3 up")
    assert own.facts("wait", "late")["status"] == "ACTIVE"
    assert own.facts("show", server["id"])["status"] == "ACTIVE"
    assert own.facts("audit")["total"] == 0

    own.ok("down")
    assert own.facts_of_a_cloud_that_is_down()["state"] == "down"
    assert "was not up" in own.run("down").stderr
    own.ok("up")
    assert {one["name"] for one in own.facts("ps")} == {"web", "late"}
    own.ok("down", "--purge", "--yes")
    assert not own.data_dir.exists()
    assert not own.clouds_file.exists()
    assert "nothing to do" in own.run("down", "--purge").stderr


def test_a_purge_has_to_be_confirmed(cloud: Commands) -> None:
    refused = cloud.run("down", "--purge")
    assert refused.exit_code == 2
    assert f"kilonova --data-dir {cloud.data_dir} down --purge --yes" in refused.stderr
    assert cloud.facts("status")["state"] == "up"


def test_a_port_in_use_is_refused_by_who_has_it(own: Commands) -> None:
    with socket.create_server(("127.0.0.1", own.port)):
        refused = own.run("up", "--sim", "--port", str(own.port))
    assert refused.exit_code == 1
    assert f"(pid {os.getpid()})" in refused.stderr
    assert not (own.data_dir / "cloud.json").exists()


def test_a_folder_with_other_things_is_left_alone(own: Commands) -> None:
    own.data_dir.mkdir()
    (own.data_dir / "thesis.tex").write_text("mine")
    refused = own.run("up", "--sim", "--port", str(own.port))
    assert (refused.exit_code, "holds other things" in refused.stderr) == (1, True)
    own.ok("down", "--purge", "--yes")
    assert [path.name for path in own.data_dir.iterdir()] == ["thesis.tex"]


def test_a_cloud_that_cannot_start_says_so_with_the_end_of_its_log(own: Commands) -> None:
    own.up()
    own.ok("down")
    for path in own.data_dir.glob("kilonova.db*"):
        path.unlink()
    (own.data_dir / "kilonova.db").mkdir()
    refused = own.run("up")
    assert refused.exit_code == 1
    assert "ended while it started" in refused.stderr
    assert "unable to open database file" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_nothing_of_a_simulated_cloud_can_be_read_by_other_users(own: Commands) -> None:
    before = os.umask(0o022)
    try:
        own.up("--hosts", "2")
        own.upload_image("tiny")
        own.facts("boot", "web")
        assert open_to_others(own.data_dir) == []
        assert [path for path in (own.data_dir / "hosts").rglob("*") if path.is_file()] != []
        own.ok("down")
        for path in own.data_dir.rglob("*"):
            path.chmod(path.stat().st_mode | 0o044)
        own.up()
        assert open_to_others(own.data_dir) == []
    finally:
        os.umask(before)
