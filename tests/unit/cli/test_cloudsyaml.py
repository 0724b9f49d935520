from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kilonova.cli import cloudsyaml
from kilonova.cli.errors import CliError

BASE = "http://127.0.0.1:8774"
ENTRIES = cloudsyaml.cloud_entries(BASE, {"admin": "a", "demo": "d"})
OTHERS = {"clouds": {"work": {"auth": {"auth_url": "https://work"}}}, "client": {"force_ipv4": True}}


def test_both_accounts_are_there() -> None:
    assert {name: entry["auth"]["password"] for name, entry in ENTRIES.items()} == {
        "kilonova": "a",
        "kilonova-demo": "d",
    }
    assert {entry["auth"]["auth_url"] for entry in ENTRIES.values()} == {f"{BASE}/identity/v3"}


def test_what_is_not_ours_stays_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "clouds.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(OTHERS))
    path.chmod(0o644)
    assert cloudsyaml.merge(path, ENTRIES) == []
    written = yaml.safe_load(path.read_text())
    assert written == OTHERS | {"clouds": OTHERS["clouds"] | ENTRIES}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["clouds.yaml"]
    assert cloudsyaml.remove(path, BASE)
    assert yaml.safe_load(path.read_text()) == OTHERS


def test_a_new_file_goes_when_it_would_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "new" / "clouds.yaml"
    cloudsyaml.merge(path, ENTRIES)
    assert set(yaml.safe_load(path.read_text())["clouds"]) == {"kilonova", "kilonova-demo"}
    assert cloudsyaml.remove(path, BASE)
    assert not path.exists()
    assert not cloudsyaml.remove(path, BASE)


def test_entries_that_lead_elsewhere_are_told_and_not_removed_with_this_cloud(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    cloudsyaml.merge(path, cloudsyaml.cloud_entries("http://127.0.0.1:87740", {"admin": "x", "demo": "y"}))
    assert not cloudsyaml.remove(path, BASE)
    assert cloudsyaml.merge(path, ENTRIES) == ["kilonova", "kilonova-demo"]
    assert cloudsyaml.merge(path, ENTRIES) == []


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    cloudsyaml.merge(path, ENTRIES)
    path.write_text("# mine\n" + path.read_text())
    cloudsyaml.merge(path, ENTRIES)
    assert path.read_text().startswith("# mine")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "clouds.yaml"
    target.write_text("")
    link.symlink_to(target)
    cloudsyaml.merge(link, ENTRIES)
    assert link.is_symlink()
    assert yaml.safe_load(target.read_text())["clouds"] == ENTRIES


def test_a_broken_file_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {")
    with pytest.raises(CliError, match="cannot be read"):
        cloudsyaml.merge(path, ENTRIES)
    assert path.read_text() == "clouds: {"
