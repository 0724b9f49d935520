from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from kilonova.cli.main import _COMMANDS, cli

LISTS_SLOW_IMPORTS = """
import sys
from kilonova.cli.main import cli
try:
    cli(sys.argv[1:])
except SystemExit:
    pass
slow = {"httpx2", "rich", "yaml", "msgspec", "sqlalchemy", "starlette", "numpy", "libvirt"}
print("slow:", *sorted(slow & set(sys.modules)))
"""


def run(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, list(args))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["nonsense"]])
def test_what_needs_nothing_imports_nothing_slow(args: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", LISTS_SLOW_IMPORTS, *args], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "slow:"


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_of_the_table_is_there_and_has_help(name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"{name} [OPTIONS]" in out


def test_a_misspelt_command_is_answered_with_what_is_alike() -> None:
    code, _, err = run("boto")
    assert code == 2
    assert "Did you mean 'boot'" in err


def test_help_groups_the_commands_and_hides_what_is_internal() -> None:
    _, out, _ = run("--help")
    assert out.index("The cloud:") < out.index("\n  up ") < out.index("Servers:") < out.index("\n  boot ")
    assert "serve" not in out.split("The cloud:")[1].split()


def test_wrong_usage_is_told_before_any_cloud_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:1")
    code, out, err = run("boot", "web", "--min-count", "3", "--max-count", "2")
    assert (code, out) == (2, "")
    assert "--min-count (3)" in err
    assert "Next: kilonova boot --help" in err
