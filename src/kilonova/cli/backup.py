"""`kilonova backup` and `kilonova restore`: an embedded cloud into one file, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from kilonova.cli import process
from kilonova.cli.config import explained
from kilonova.cli.errors import USAGE, CliError
from kilonova.cli.places import DATA_DIR_OPTION, chosen_data_dir, command_for
from kilonova.cli.talk import progress, say

_FILE = click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@_FILE
@DATA_DIR_OPTION
@click.option("--without-images", is_flag=True, help="Leave images' bits out; restore takes those that are there then.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def backup(file: Path, data_dir: Path | None, without_images: bool, force: bool) -> None:  # noqa: FBT001 - options of click's
    """
    Write the whole cloud of this machine into FILE, while it serves or while it is down.

    All but the disks of servers: those stay with their hosts. FILE holds passwords and keys, and is its owner's alone.
    A fleet's records are in PostgreSQL, which has its own tool: pg_dump (docs/fleet.md).
    """
    from kilonova.bootstrap.backup import back_up  # noqa: PLC0415 - the whole store

    file = file.absolute()
    if file.exists() and not force:
        raise CliError(f"{file} is there already.", next_step="Name another file, or replace it: --force")
    if not file.parent.is_dir():
        raise CliError(f"There is no folder {file.parent}.", next_step=f"mkdir -p {file.parent}")
    with explained(), progress("Looking …") as tell:
        made = back_up(chosen_data_dir(data_dir), file, tell, with_images=not without_images)
    say(f"The cloud is in {file}: {made.size} bytes, {made.images} images. Keep it where nobody else can read it.")
    _say_lost(made.lost)


@click.command()
@_FILE
@DATA_DIR_OPTION
@click.option("--yes", is_flag=True, help="Do not ask before a cloud that is there is replaced.")
def restore(file: Path, data_dir: Path | None, yes: bool) -> None:  # noqa: FBT001 - options of click's
    """
    Make the cloud of this machine what it was when FILE was written. It must be down.

    What is replaced is kept aside. Servers are not touched: those that run go on running.
    A fleet's records are put back by pg_restore and `kilonova db new-epoch` (docs/fleet.md).
    """
    from kilonova.bootstrap import restore as restoring  # noqa: PLC0415 - the whole store

    file, folder = file.absolute(), chosen_data_dir(data_dir)
    if process.running(folder) is not None:
        raise CliError(f"The cloud in {folder} is up.", next_step=command_for(folder, "kilonova down"))
    with explained():
        there = restoring.what_is_there(folder)
    if there and not yes:
        _confirm(folder, file)
    with _claimed(folder), explained(), progress("Reading …") as tell:
        done = restoring.restore(folder, file, tell)
    say(f"The cloud in {folder} is what it was at {done.made_at:%Y-%m-%d %H:%M:%S} UTC.")
    if done.aside is not None:
        say(f"What was there is in {done.aside}; remove that when you need it no more.")
    _say_lost(done.lost)
    say(f"Next: {command_for(folder, 'kilonova up')}")


def _confirm(folder: Path, file: Path) -> None:
    if not sys.stdin.isatty():
        raise CliError(
            f"There is a cloud in {folder}; that it is to be replaced has to be confirmed.",
            next_step=command_for(folder, f"kilonova restore {file} --yes"),
            exit_code=USAGE,
        )
    click.confirm(f"Replace the records, images and settings of the cloud in {folder}?", abort=True, err=True)


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Have the data directory to ourselves; one that was made for this and came to nothing goes again."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    lock = process.claim(folder)
    try:
        yield
    except BaseException:
        if is_new:
            process.forget(folder)
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        process.release(lock)


def _say_lost(image_ids: list[str]) -> None:
    if image_ids:
        say(f"Of {len(image_ids)} images there are no bits: {', '.join(image_ids)}. Upload them anew, or delete them.")
