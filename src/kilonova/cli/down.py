"""`kilonova down`: stop the cloud; with --purge, remove all of it."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click

from kilonova.cli import cloudsyaml, process
from kilonova.cli.accounts import user_clouds_file
from kilonova.cli.client import Client, local_client
from kilonova.cli.errors import USAGE, CliError
from kilonova.cli.places import DATA_DIR_OPTION, chosen_data_dir, command_for
from kilonova.cli.talk import progress, say
from kilonova.cli.up import load
from kilonova.settings import CloudSettings

_STOPS_WITHIN_S = 30.0
_DELETED_WITHIN_S = 120.0
_PAUSE_S = 0.2


@click.command()
@click.option("--purge", is_flag=True, help="Remove servers, images, networks, data and clouds.yaml entries too.")
@click.option("--yes", is_flag=True, help="Do not ask before a purge.")
@DATA_DIR_OPTION
def down(data_dir: Path | None, purge: bool, yes: bool) -> None:  # noqa: FBT001 - options of click's
    """Stop the cloud. Its guests go on running, and are found again by `kilonova up`."""
    folder = chosen_data_dir(data_dir)
    settings = load(folder)
    if settings is None:
        say(f"There is no cloud in {folder}: nothing to do.")
        return
    if purge:
        _confirm(folder, yes=yes)
        _purge(settings)
        return
    running = _running_servers(settings)
    with progress("Stopping the cloud …"):
        was_up = process.stop(folder, _STOPS_WITHIN_S)
    say("The cloud is stopped." if was_up else "The cloud was not up.")
    if settings.hypervisor != "sim" and running:
        go = "1 server goes" if running == 1 else f"{running} servers go"
        say(f"{go} on running; `{command_for(folder, 'kilonova up')}` finds them again, with --purge they end.")


def _confirm(folder: Path, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CliError(
            "A purge has to be confirmed.",
            next_step=command_for(folder, "kilonova down --purge --yes"),
            exit_code=USAGE,
        )
    click.confirm(f"Remove the cloud in {folder}, with its servers, images and networks?", abort=True, err=True)


def _purge(settings: CloudSettings) -> None:
    """
    Servers first, through the API while there is one, so that hosts let go of them in order; then the process; then what a host
    may still have, whether or not anybody remembers it; then the data. Each step may find its work done.
    """
    folder = settings.data_dir
    if process.running(folder) is not None:
        _delete_servers(settings)
    with progress("Stopping the cloud …"):
        process.stop(folder, _STOPS_WITHIN_S)
    with progress("Removing what is left on this machine …"):
        from kilonova.bootstrap.cloud import purge  # noqa: PLC0415 - the whole cloud; only a purge needs it

        purge(folder)
    shutil.rmtree(folder)
    if cloudsyaml.remove(user_clouds_file(), settings.base_url):
        say(f"Took our entries out of {user_clouds_file()}.")
    say(f"The cloud in {folder} is gone.")


def _delete_servers(settings: CloudSettings) -> None:
    """What is not gone in time is left to the purge of the host."""
    try:
        with local_client(settings.data_dir) as client, progress("Deleting servers …") as show:
            deadline = time.monotonic() + _DELETED_WITHIN_S
            asked: set[str] = set()
            while (there := _servers(client)) and time.monotonic() < deadline:
                show(f"Deleting servers: {len(there)} left …")
                for server in set(there) - asked:
                    client.call("compute", "DELETE", f"/servers/{server}")
                    asked.add(server)
                time.sleep(_PAUSE_S)
    except CliError as refused:
        say(f"Not all servers could be deleted through the API ({refused.message}); they are removed from the host.")


def _servers(client: Client) -> list[str]:
    return [server["id"] for server in client.pages("compute", "/servers", "servers", all_tenants="1")]


def _running_servers(settings: CloudSettings) -> int:
    """How many servers run now, as far as the cloud can tell."""
    if process.running(settings.data_dir) is None:
        return 0
    try:
        with local_client(settings.data_dir) as client:
            listed = client.pages("compute", "/servers", "servers", all_tenants="1", status="ACTIVE")
            return sum(1 for _ in listed)
    except CliError:
        return 0
