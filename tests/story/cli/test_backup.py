"""A cloud in a file: written while it serves, and put back; whatever is wrong with the file, what is there stays."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2

from kilonova.bootstrap.backup import back_up
from kilonova.cli.client import local_client
from tests.story.cli.conftest import Commands, names, tree
from tests.story.cli.test_looked_at import writing
from tests.waiting import wait_until

# As a file system would be cut off: the process ends at the NUMBERth renaming.
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from kilonova.cli.main import cli
left, rename = int(sys.argv.pop(1)), Path.rename
def renamed(self, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = renamed
cli(sys.argv[1:], prog_name="kilonova")
"""


def projects(cloud: Commands) -> set[str]:
    with local_client(cloud.data_dir) as client:
        return {project["name"] for project in client.pages("identity", "/projects", "projects")}


def bits(cloud: Commands, image: str) -> bytes:
    with local_client(cloud.data_dir) as client:
        client.get("image", "/images")
        headers = {"X-Auth-Token": client._secret}
        url = f"http://127.0.0.1:{cloud.port}/image/v2/images/{image}/file"
        return httpx2.get(url, headers=headers, trust_env=False).raise_for_status().content


def epochs(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as records:
        return [why for (why,) in records.execute("SELECT why FROM epochs ORDER BY number")]


def test_a_cloud_is_what_it_was_when_it_was_written_under_load(own: Commands) -> None:
    own.up("--hosts", "2")
    image = own.upload_image("tiny")
    kept = own.facts("boot", "kept")
    file, answered = own.data_dir.with_name("backup"), list[str]()
    with writing(own, answered):
        wait_until(lambda: len(answered) > 20, "the cloud is under load")
        before = set(answered)
        own.ok("backup", str(file))
        wait_until(lambda: len(answered) > len(before) + 20, "it still is")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in file.parent.iterdir() if "backup" in path.name} == {"backup"}
    late = own.facts("boot", "late")
    own.ok("delete", "kept")
    own.kill()
    hosts = tree(own.data_dir / "hosts")
    told = own.run("restore", str(file), "--yes")
    assert told.exit_code == 0, told.output
    assert tree(own.data_dir / "hosts") == hosts
    (aside,) = own.data_dir.glob("replaced-*")
    assert str(aside) in told.stderr
    assert {"cloud.json", "kilonova.db", "kilonova.db-wal", "credentials.json", "images"} <= names(aside)
    assert epochs(own.data_dir / "kilonova.db")[0] == "the first start"
    assert epochs(own.data_dir / "kilonova.db")[1].startswith("restored from 20")
    assert stat.S_IMODE((own.data_dir / "kilonova.db").stat().st_mode) == 0o600

    own.ok("up")
    assert before <= projects(own) < set(answered) | {"admin", "demo"}
    assert {one["id"] for one in own.facts("ps")} == {kept["id"]}
    assert bits(own, image) == b"\0" * 4096
    assert own.facts("boot", "again")["status"] == "ACTIVE"
    assert own.facts("--cloud", "kilonova-demo", "ps") == []  # the passwords in clouds.yaml are right
    report = own.run("audit", "--json")
    assert late["id"] in report.stdout  # a machine that the records know nothing of is nobody's to remove


def test_a_cloud_comes_up_where_there_was_none(saved: tuple[Commands, Path], own: Commands) -> None:
    _, file = saved
    own.ok("restore", str(file))
    own.ok("up", "--port", str(own.port))
    assert json.loads((own.data_dir / "cloud.json").read_text())["data_dir"] == str(own.data_dir)
    assert own.facts("status")["state"] == "up"
    (image,) = [path.name for path in (own.data_dir / "images").iterdir()]
    assert bits(own, image) == b"\0" * 4096
    assert own.facts("boot", "web")["status"] == "ACTIVE"
    assert own.facts("audit")["total"] == 0


def test_what_is_there_is_replaced_only_when_it_was_said_so(cloud: Commands, down: tuple[Commands, Path]) -> None:
    own, file = down
    before = tree(own.data_dir)
    refused = own.run("restore", str(file))
    assert refused.exit_code == 2
    assert f"kilonova --data-dir {own.data_dir} restore {file} --yes" in refused.stderr
    assert tree(own.data_dir) == before

    again = own.run("backup", str(file))
    assert (again.exit_code, "is there already" in again.stderr, "--force" in again.stderr) == (1, True, True)
    own.ok("backup", str(file), "--force")

    is_up = cloud.run("restore", str(file), "--yes")
    assert (is_up.exit_code, "is up." in is_up.stderr) == (1, True)
    assert f"Next: kilonova --data-dir {cloud.data_dir} down" in is_up.stderr
    assert cloud.facts("status")["state"] == "up"

    strange = own.data_dir.with_name("elsewhere")
    strange.mkdir()
    (strange / "thesis.tex").write_text("mine")
    refused = own.run("restore", str(file), "--yes", "--data-dir", str(strange))
    assert (refused.exit_code, "thesis.tex" in refused.stderr) == (1, True)
    assert names(strange) == {"thesis.tex"}


def test_a_restore_that_is_killed_leaves_the_old_cloud_or_none_and_the_next_one_ends_it(
    down: tuple[Commands, Path],
) -> None:
    own, file = down
    kept = {name: digest for name, digest in tree(own.data_dir).items() if name.startswith(("images/", "kilonova.db"))}
    for number in range(20):
        command = [
            sys.executable,
            "-c",
            KILLED_AT,
            str(number),
            "--data-dir",
            str(own.data_dir),
            "restore",
            str(file),
            "--yes",
        ]
        ended = subprocess.run(command, check=False, capture_output=True, timeout=120).returncode
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        if (own.data_dir / "cloud.json").exists():
            assert (own.data_dir / "kilonova.db").exists()
        else:
            assert own.run("status").exit_code == 1
    assert 5 < number < 20
    put_aside = {item for aside in own.data_dir.glob("replaced-*") for item in tree(aside).items()}
    assert set(kept.items()) <= put_aside
    own.ok("up", "--port", str(own.port))
    assert own.facts("audit")["total"] == 0


def test_images_that_come_and_go_meanwhile_are_as_the_records_say(own: Commands) -> None:
    own.up()
    gone, file = own.upload_image("gone"), own.data_dir.with_name("backup")
    come: list[str] = []

    def change(doing: str) -> None:
        if doing == "Copying the records …":  # the images have been copied
            come.append(own.upload_image("come"))
            with local_client(own.data_dir) as client:
                client.call("image", "DELETE", f"/images/{gone}")

    made = back_up(own.data_dir, file, change, with_images=True)
    assert (made.lost, made.images) == ([], 2)
    own.ok("down")
    own.ok("restore", str(file), "--yes")
    assert names(own.data_dir / "images") == set(come)
    own.ok("up")
    assert bits(own, come[0]) == b"\0" * 4096
    assert own.facts("audit")["total"] == 0


def test_bits_that_the_cloud_has_lost_are_named(down: tuple[Commands, Path]) -> None:
    own, file = down
    (image,) = (own.data_dir / "images").iterdir()
    image.unlink()
    told = own.run("backup", str(file), "--force")
    assert (told.exit_code, image.name in told.stderr) == (0, True)
    told = own.run("restore", str(file), "--yes")
    assert (told.exit_code, image.name in told.stderr) == (0, True)


def test_damaged_records_are_not_taken_for_a_backup(down: tuple[Commands, Path]) -> None:
    own, file = down
    with (own.data_dir / "kilonova.db").open("r+b") as records:
        records.seek(4096 * 40)
        records.write(os.urandom(4096 * 20))
    before = file.read_bytes()
    refused = own.run("backup", str(file), "--force")
    assert (refused.exit_code, "damaged" in refused.stderr) == (1, True)
    assert file.read_bytes() == before
    assert {name for name in names(file.parent) if "backup" in name} == {"backup"}


def test_a_backup_without_images_takes_those_that_are_there(down: tuple[Commands, Path]) -> None:
    own, file = down
    own.ok("backup", str(file), "--force", "--without-images")
    assert file.stat().st_size < 3 << 20
    (image,) = (own.data_dir / "images").iterdir()
    told = own.run("restore", str(file), "--yes")
    assert "no bits" not in told.stderr
    assert [path.name for path in (own.data_dir / "images").iterdir()] == [image.name]
    new = own.data_dir.with_name("new")
    told = own.run("restore", str(file), "--data-dir", str(new))
    assert (told.exit_code, image.name in told.stderr) == (0, True)


def test_a_file_that_was_put_back_by_hand_begins_an_epoch_by_hand(cloud: Commands, down: tuple[Commands, Path]) -> None:
    own, _ = down
    own.ok("db", "new-epoch", "--data-dir", str(own.data_dir))
    assert epochs(own.data_dir / "kilonova.db") == ["the first start", "kilonova db new-epoch"]
    refused = cloud.run("db", "new-epoch", "--data-dir", str(cloud.data_dir))
    assert (refused.exit_code, "Another process runs the cloud" in refused.stderr) == (1, True)
    refused = own.run("db", "new-epoch", "--data-dir", str(own.data_dir.parent))
    assert (refused.exit_code, "could not be found" in refused.stderr) == (1, True)


def test_a_folder_without_a_cloud_is_said_to_be_one(own: Commands) -> None:
    refused = own.run("backup", str(own.clouds_file))
    assert refused.exit_code == 1
    assert str(own.data_dir) in refused.stderr
    assert "pg_dump" in refused.stderr
    assert not own.clouds_file.exists()
    nowhere = own.run("backup", str(own.data_dir / "not" / "there"))
    assert (nowhere.exit_code, "There is no folder" in nowhere.stderr) == (1, True)
