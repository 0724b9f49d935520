"""`kilonova serve`: the process that `kilonova up` starts, for a terminal or for an init system."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kilonova.cli import process
from kilonova.cli.config import explained
from kilonova.cli.errors import CliError
from kilonova.cli.places import DATA_DIR_OPTION, chosen_data_dir


@click.command(hidden=True)
@DATA_DIR_OPTION
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Log to this file, which is set aside when it is full; default: stderr.",
)
def serve(data_dir: Path | None, log_file: Path | None) -> None:
    """Run the cloud that lives in a data directory, until SIGTERM."""
    run(chosen_data_dir(data_dir), log_file)


def run(data_dir: Path, log_file: Path | None = None) -> None:
    """Be the cloud's process; its pid file and lock are ours until the end."""
    if not data_dir.is_dir():
        raise CliError(f"There is no cloud in {data_dir}.", next_step="kilonova up")
    lock = process.claim(data_dir)
    os.chdir("/")  # no file system is kept from being unmounted for where somebody stood
    try:
        from kilonova.process import serve as serve_cloud  # noqa: PLC0415 - the whole cloud; nothing else here needs it

        with explained():
            serve_cloud(data_dir, log_file)
    finally:
        os.close(lock)
