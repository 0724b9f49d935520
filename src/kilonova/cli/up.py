"""
`kilonova up`: bring up a cloud, or say that it is up.

Its options are kept in the data directory, so that a bare `kilonova up` brings up the same cloud again, whatever ended it.
The cloud is a process of its own; this command starts it, waits until it answers and its hosts are there, and says what was made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kilonova import settings as kept
from kilonova.cli import plan, ports, process, serve
from kilonova.cli.errors import FAILED, TIMED_OUT, CliError
from kilonova.cli.places import DATA_DIR_OPTION, chosen_data_dir, command_for, guest_dir
from kilonova.cli.talk import Progress, progress, say
from kilonova.scheduler.settings import PROFILES
from kilonova.settings import CloudSettings

Command = TypeVar("Command", bound=Callable[..., Any])
_ANSWERS_WITHIN_S = 60.0
_HOSTS_WITHIN_S = 90.0
_PAUSE_S = 0.05


def _ratio_options(command: Command) -> Command:
    """How far hosts may be overcommitted."""
    for name, unit in ("disk", "disk"), ("ram", "RAM"), ("cpu", "vCPUs for each CPU"):
        what = f"How many {unit}" if name == "cpu" else f"How many times its {unit}"
        text = f"{what} may be claimed of a host that joins from now on."
        command = click.option(f"--{name}-ratio", type=click.FloatRange(0, min_open=True), metavar="F", help=text)(
            command
        )
    return command


@click.command()
@click.option("--sim", "hypervisor", flag_value="sim", help="Simulated hosts: no root, QEMU or libvirt needed.")
@click.option("--hosts", "sim_hosts", type=click.IntRange(1, 10000), metavar="N", help="How many simulated hosts.")
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="P", help=f"Where the API listens; default: {kept.DEFAULT_PORT}."
)
@DATA_DIR_OPTION
@click.option(
    "--accelerator", type=click.Choice(["auto", "kvm", "tcg"]), help="auto takes KVM when a guest runs under it."
)
@click.option(
    "--pace",
    "sim_pace",
    type=click.FloatRange(0),
    metavar="F",
    help="Times of a simulation: 1 is life-like, 0 at once.",
)
@click.option(
    "--placement",
    type=click.Choice(list(PROFILES)),
    help="Whether servers are packed on few hosts or spread over many; default: nova, which spreads by what is free.",
)
@_ratio_options
@click.option("--foreground", is_flag=True, help="Stay, and log here.")
def up(data_dir: Path | None, foreground: bool, **options: Any) -> None:  # noqa: FBT001 - an option of click's
    """Bring up a cloud on this machine, or say that it is up."""
    from kilonova.cli.report import tell  # noqa: PLC0415 - brings YAML and HTTP

    asked = {name: value for name, value in options.items() if value is not None}
    folder = chosen_data_dir(data_dir)
    existing = load(folder)
    if existing and process.running(folder) is not None:
        wrong = plan.differences(existing, asked)
        bring_up(existing, None)
        tell(existing, "is up already")
        if wrong:
            raise CliError(
                f"The cloud is up, but not as asked: {'; '.join(wrong)}.",
                next_step=command_for(folder, f"kilonova down && {plan.command_line(asked)}"),
            )
        return
    settings = plan.new_settings(existing, asked, folder)
    check(settings, is_new=existing is None)
    kept.save(_with_guest(settings))
    if foreground:
        say(f"A cloud at {settings.base_url}, data in {folder}; Ctrl-C stops it.")
        serve.run(folder)
        return
    bring_up(settings, process.start(folder))
    tell(settings, "is up")


def load(folder: Path) -> CloudSettings | None:
    """The cloud that lives in `folder`, wherever that was when it was made. Raises CliError when its settings are broken."""
    import msgspec  # noqa: PLC0415 - here already, by way of the settings

    try:
        found = kept.load(folder)
    except (msgspec.MsgspecError, OSError) as broken:
        raise CliError(f"{folder / kept.SETTINGS_FILE} cannot be read: {broken}") from broken
    return msgspec.structs.replace(found, data_dir=folder) if found else None


def check(settings: CloudSettings, *, is_new: bool) -> None:
    """Refuse, before anything is made, what cannot work. Raises CliError."""
    folder = settings.data_dir
    if settings.hypervisor != "sim":
        from kilonova.cli.doctor.programs import missing_for_real_hosts  # noqa: PLC0415 - real hosts only

        if os.geteuid() != 0:
            raise CliError(
                "Real servers need root: bridges, taps, nftables and libvirt are the machine's own.",
                next_step="sudo kilonova up   # or without root: kilonova up --sim",
            )
        if lacking := missing_for_real_hosts():
            raise CliError(f"This machine lacks {', '.join(lacking.what)}.", next_step=lacking.remedy)
    if is_new and folder.is_dir() and any(folder.iterdir()):
        raise CliError(
            f"{folder} holds other things; a cloud's data directory is its own.", next_step="kilonova up --data-dir NEW"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    except OSError as refused:
        raise CliError(
            f"{folder} cannot be made: {refused.strerror}", next_step="kilonova up --data-dir ANOTHER"
        ) from refused
    if (why := ports.why_not_free(settings.host, settings.port)) is not None:
        raise CliError(f"Port {settings.port} cannot be listened on: {why}.", next_step="kilonova up --port ANOTHER")


def bring_up(settings: CloudSettings, started: int | None) -> None:
    """Wait until the cloud answers and its hosts are there. `started`: its process, when it is ours. Raises CliError."""
    with progress("Starting the cloud …" if started else "Asking the cloud …") as show:
        _wait_for_answer(settings, started, show)
        _wait_for_hosts(settings, show)


def _wait_for_answer(settings: CloudSettings, started: int | None, show: Progress) -> None:
    import httpx2  # noqa: PLC0415 - slow to import

    folder = settings.data_dir

    def answers() -> bool:
        if process.has_ended(started) if started else process.running(folder) is None:
            raise _failed(folder, "The cloud ended while it started.", FAILED)
        show("Waiting for the API …")
        try:
            return client.get(f"{settings.base_url}/kilonova/v1/health").is_success
        except httpx2.HTTPError:
            return False

    with httpx2.Client(timeout=5.0, trust_env=False) as client:
        if not _within(_ANSWERS_WITHIN_S, answers):
            raise _failed(folder, f"The cloud does not answer after {_ANSWERS_WITHIN_S:.0f} s.", TIMED_OUT)


def _failed(folder: Path, what: str, exit_code: int) -> CliError:
    step = f"kilonova doctor   # the whole log: {process.log_file(folder)}"
    return CliError(f"{what} Its log ends:\n{process.log_tail(folder)}", next_step=step, exit_code=exit_code)


def _wait_for_hosts(settings: CloudSettings, show: Progress) -> None:
    """Hosts come up after the API does. One that cannot is said, not waited for: it is tried again, and the API is there."""
    from kilonova.cli.client import local_client  # noqa: PLC0415 - slow to import
    from kilonova.cli.report import write_clouds  # noqa: PLC0415 - the same

    write_clouds(settings)
    with local_client(settings.data_dir) as client:

        def there() -> bool:
            chosen = client.get("kilonova", "/status")["status"]["chosen"]
            show(f"Waiting for hosts: {chosen.get('hosts', '')} …")
            return bool(chosen.get("hosts_problem") != "starting")

        _within(_HOSTS_WITHIN_S, there)


def _within(seconds: float, is_so: Callable[[], bool]) -> bool:
    """Wait for a level, not for ever."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


def _with_guest(settings: CloudSettings) -> CloudSettings:
    import msgspec  # noqa: PLC0415 - here already, by way of the settings

    return settings if settings.hypervisor == "sim" else msgspec.structs.replace(settings, guest_dir=guest_dir())
