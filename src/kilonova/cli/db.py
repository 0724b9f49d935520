"""`kilonova db`: a fleet's database, from nothing to full."""

from __future__ import annotations

from pathlib import Path

import click

from kilonova.cli import process
from kilonova.cli.config import CONFIG_OPTION, explained
from kilonova.cli.output import output_option, print_facts
from kilonova.cli.talk import progress, say


@click.group()
def db() -> None:
    """Make, upgrade and fill a fleet's database."""


@db.command()
@CONFIG_OPTION
def upgrade(config_file: Path) -> None:
    """
    Make the tables, or bring them up to this release.

    Safe while the fleet runs on the previous release, and when it is run twice at once.
    """
    from kilonova.bootstrap import databases  # noqa: PLC0415 - the whole store

    with explained():
        before, after = databases.upgrade(config_file)
    say(f"The schema is at {after}." if before == after else f"The schema went from {before or 'nothing'} to {after}.")


@db.command()
@CONFIG_OPTION
@output_option
def status(config_file: Path, output: str) -> None:
    """Say what the schema is at, and what this release needs. Exit code 1 when they do not fit."""
    from kilonova.bootstrap import databases  # noqa: PLC0415 - the whole store

    with explained():
        found = databases.status(config_file)
    print_facts(found, output)
    if found["lacks"]:
        raise SystemExit(1)


@db.command()
@CONFIG_OPTION
def bootstrap(config_file: Path) -> None:
    """
    Make accounts, catalog, flavors and the default network, as the first API process would at its start.

    The passwords go to [api] credentials_file.
    """
    from kilonova.bootstrap import databases  # noqa: PLC0415 - the whole store

    with explained():
        path = databases.bootstrap(config_file)
    say(
        f"The passwords are in {path}." if path else "The cloud has its accounts; the catalog follows [api] public_url."
    )


@db.command(name="new-epoch")
@CONFIG_OPTION
@click.option(
    "--data-dir",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The data directory of a cloud of `kilonova up`, in place of a fleet's settings.",
)
def new_epoch(config_file: Path, data_dir: Path | None) -> None:
    """
    Have every host take its whole state anew: for records that went back in time.

    After pg_restore, and after a fail-over to a standby that lacked commits. Stop every API, conductor and scheduler before.
    """
    from kilonova.bootstrap import databases  # noqa: PLC0415 - the whole store

    if data_dir is None:
        with explained():
            databases.new_epoch(config_file)
    else:
        lock = process.claim(data_dir)  # refused while the cloud is up
        try:
            with explained():
                databases.new_epoch_of(data_dir)
        finally:
            process.release(lock)
    say(
        "A new epoch of the records has begun. Start the control plane: hosts ask for their state as soon as they hear of it."
    )


@db.command()
@CONFIG_OPTION
@click.option(
    "--from",
    "data_dir",
    metavar="DATADIR",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The data directory of a cloud that `kilonova up` made, and that is down.",
)
def move(config_file: Path, data_dir: Path) -> None:
    """
    Carry a cloud that `kilonova up` made into a fleet's database.

    All or nothing: rows are counted and compared before the end. The cloud is left as it is.
    """
    from kilonova.bootstrap import databases  # noqa: PLC0415 - the whole store

    lock = process.claim(data_dir)  # refused while the cloud is up, and it cannot come up meanwhile
    try:
        with explained(), progress("Moving …") as tell:
            moved = databases.move(config_file, data_dir, tell)
    finally:
        process.release(lock)
    say(f"{moved.rows} rows of {moved.tables} tables are in the fleet's database, and compared.")
    say(f"Images: copy {data_dir / 'images'} to {moved.images} ({moved.image_files} files, {moved.image_bytes} bytes).")
    say("The passwords stay what they were. Start the API: the catalog follows [api] public_url.")
