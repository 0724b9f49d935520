"""What the commands of a fleet say when they cannot work. How they work is told in tests/story/fleet."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kilonova.cli.main import cli
from tests import brokers
from tests.certificates import Authority


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def write(folder: Path, database: str, more: str = "") -> str:
    path = folder / "kilonova.toml"
    path.write_text(f'[database]\nurl = "{database}"\n[bus]\nurl = "memory://"\n{more}')
    return str(path)


def test_a_sample_is_good_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "kilonova.toml"
    path.write_text(run("config", "sample").stdout)
    done = run("config", "check", "--config", str(path))
    assert (done.exit_code, done.stderr) == (0, f"{path} is good.\n")


def test_a_check_looks_at_the_files_that_rabbitmq_is_spoken_to_with(tmp_path: Path) -> None:
    path = tmp_path / "kilonova.toml"
    bus = f'url = "amqps://me:hush-hush@rabbit/"\nca_file = "{tmp_path / "ca.pem"}"\n'
    path.write_text(f'[database]\nurl = "postgresql://db/kilonova"\n[bus]\n{bus}')
    done = run("config", "check", "--config", str(path))
    assert done.exit_code == 1
    assert f"The file {tmp_path / 'ca.pem'}, for TLS to RabbitMQ, cannot be read: No such file" in done.stderr
    Authority(tmp_path / "ca.pem")
    assert run("config", "check", "--config", str(path)).exit_code == 0


@pytest.mark.parametrize(
    "words", [["config", "check"], ["api"], ["conductor"], ["scheduler"], ["agent"], ["db", "status"]]
)
def test_without_a_file_every_command_says_how_to_make_one(tmp_path: Path, words: list[str]) -> None:
    done = run(*words, "--config", str(tmp_path / "none.toml"))
    assert done.exit_code == 1
    assert "There is no file" in done.stderr
    assert f"kilonova config sample > {tmp_path / 'none.toml'}" in done.stderr


@pytest.mark.parametrize("kind", ["api", "conductor", "scheduler"])
def test_processes_do_not_share_a_sqlite_by_accident(tmp_path: Path, kind: str) -> None:
    done = run(kind, "--config", write(tmp_path, f"sqlite:///{tmp_path / 'one.db'}"))
    assert done.exit_code == 1
    assert "SQLite, which is for one process" in done.stderr
    assert "share_sqlite" in done.stderr


def test_a_database_that_is_away_is_said_to_be_and_its_password_is_not(tmp_path: Path) -> None:
    (port,) = brokers.free_ports(1)
    done = run("db", "status", "--config", write(tmp_path, f"postgresql://me:hush-hush@127.0.0.1:{port}/kilonova"))
    assert done.exit_code == 1
    assert "The database does not answer" in done.stderr
    assert "hush-hush" not in done.output + done.stderr


def test_an_empty_database_is_made_and_filled_step_by_step(tmp_path: Path) -> None:
    more = f'[api]\ncredentials_file = "{tmp_path}/new/credentials.json"\n'
    config = write(tmp_path, f"sqlite:///{tmp_path / 'one.db'}", more)
    Path(config).write_text(Path(config).read_text().replace("[bus]", "share_sqlite = true\n[bus]"))
    empty = run("db", "status", "--config", config)
    assert empty.exit_code == 1
    assert "kilonova db upgrade" in empty.stdout
    assert "cannot be filled" in run("db", "bootstrap", "--config", config).stderr
    assert "from nothing to" in run("db", "upgrade", "--config", config).stderr
    assert "The schema is at" in run("db", "upgrade", "--config", config).stderr
    assert run("db", "status", "--config", config).exit_code == 0
    assert "The passwords are in" in run("db", "bootstrap", "--config", config).stderr
    secrets = tmp_path / "new" / "credentials.json"
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert "has its accounts" in run("db", "bootstrap", "--config", config).stderr


def test_a_database_of_no_kind_we_know_is_refused(tmp_path: Path) -> None:
    done = run("db", "upgrade", "--config", write(tmp_path, "mysql://me@host/db"))
    assert done.exit_code == 1
    assert "no database that Kilonova knows" in done.stderr
