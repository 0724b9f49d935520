"""Where a cloud of this machine lives."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import kilonova

DATA_DIR_OPTION = click.option(
    "--data-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the cloud lives; default: $KILONOVA_DATA_DIR, else /var/lib/kilonova as root, ~/.local/state/kilonova as others.",
)


def root_option(name: str) -> Any:
    """An option given before the subcommand; None without one."""
    ctx = click.get_current_context(silent=True)
    return ctx.find_root().params.get(name) if ctx else None


def chosen_data_dir(given: Path | None = None) -> Path:
    """The data directory: as given to the subcommand, to `kilonova` itself or by the environment, else the user's default."""
    named = given or root_option("root_data_dir") or os.environ.get("KILONOVA_DATA_DIR")
    return Path(named).absolute() if named else default_data_dir(os.environ, os.geteuid())


def command_for(data_dir: Path, command: str) -> str:
    """A command to paste that means this cloud: a bare `kilonova down` would be about the default one."""
    is_default = data_dir == default_data_dir(os.environ, os.geteuid())
    return command if is_default else command.replace("kilonova ", f"kilonova --data-dir {shlex.quote(str(data_dir))} ")


def default_data_dir(env: Mapping[str, str], user_id: int) -> Path:
    """Root's cloud is the machine's, another's is his own."""
    if user_id == 0:
        return Path("/var/lib/kilonova")
    return Path(env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kilonova"


def guest_dir(env: Mapping[str, str] = os.environ) -> Path | None:
    """Where the tiny guest is: as the environment says, as packaged, or as built in a checkout; None without one."""
    checkout = Path(kilonova.__file__).parents[2]
    named = env.get("KILONOVA_GUEST_DIR")
    found = [Path(named)] if named else [Path("/usr/share/kilonova/guest"), checkout / "build" / "guest"]
    return next((path for path in found if (path / "vmlinuz").is_file()), None)
