"""`kilonova config`: the file that a fleet's processes read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kilonova.cli.errors import CliError
from kilonova.cli.talk import put_lines, say

CONFIG_OPTION = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    envvar="KILONOVA_CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("/etc/kilonova/kilonova.toml"),
    show_default=True,
    help="The settings of the fleet.",
)


@click.group(name="config")
def config() -> None:
    """Write and check a fleet's settings."""


@config.command()
def sample() -> None:
    """Print a commented sample with every key."""
    from kilonova.config.sample import sample as text  # noqa: PLC0415 - the types of every section

    put_lines(text(), nl=False)


@config.command()
@CONFIG_OPTION
def check(config_file: Path) -> None:
    """Say whether the settings can be used: the file with what the environment changes of it."""
    from kilonova.config.fleet import FleetConfig  # noqa: PLC0415 - the types of every section
    from kilonova.config.load import load_config  # noqa: PLC0415 - the same

    with explained():
        load_config(FleetConfig, config_file).bus.check_files()
    say(f"{config_file} is good.")


@contextmanager
def explained() -> Iterator[Any]:
    """Errors of the cloud as errors of the command."""
    from kilonova.domain.errors import KilonovaError  # noqa: PLC0415 - not for --help

    try:
        yield
    except KilonovaError as error:
        raise CliError(error.message, next_step=error.next_step) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CliError(
            f"{where}{error.strerror or error}.",
            next_step="Look at the paths in the settings, and at which account runs this process.",
        ) from None
