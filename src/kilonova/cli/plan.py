"""What `kilonova up` is to do, given what it was asked and what lives in the data directory. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kilonova.cli.errors import USAGE, CliError
from kilonova.settings import CloudSettings

Settings = TypeVar("Settings", bound=msgspec.Struct)

# The options of `up` by the setting they stand for, and how each is written.
_OPTIONS = {
    "hypervisor": "--sim",
    "sim_hosts": "--hosts",
    "port": "--port",
    "accelerator": "--accelerator",
    "sim_pace": "--pace",
    "placement": "--placement",
    "cpu_ratio": "--cpu-ratio",
    "ram_ratio": "--ram-ratio",
    "disk_ratio": "--disk-ratio",
}
# Where the setting of an option is, when it is not at the top.
_WITHIN = {
    "placement": "scheduler.profile",
    **{name: f"host_defaults.{name}" for name in ("cpu_ratio", "ram_ratio", "disk_ratio")},
}


def new_settings(existing: CloudSettings | None, asked: Mapping[str, Any], data_dir: Path) -> CloudSettings:
    """
    The settings to come up with: those kept, with what was asked in their place.

    A cloud never turns from real to simulated or back: its servers live on hosts of the one kind. Raises CliError.
    """
    kind = asked.get("hypervisor") or (existing.hypervisor if existing else "libvirt")
    if existing and kind != existing.hypervisor:
        raise CliError(
            f"The cloud in {data_dir} has {existing.hypervisor} hosts, and a cloud keeps to one kind.",
            next_step=f"kilonova up --{kind} --data-dir ANOTHER   # or remove that one: kilonova down --purge",
        )
    for setting in ("sim_hosts", "sim_pace"):
        if setting in asked and kind != "sim":
            raise CliError(
                f"{_OPTIONS[setting]} is for simulated hosts.", next_step="kilonova up --sim", exit_code=USAGE
            )
    if "accelerator" in asked and kind == "sim":
        raise CliError("--accelerator is for real hosts; simulated ones need none.", exit_code=USAGE)
    settings = msgspec.structs.replace(existing or CloudSettings(data_dir=data_dir), data_dir=data_dir)
    for name, value in asked.items():
        settings = _with(settings, _WITHIN.get(name, name), value)
    return settings


def differences(existing: CloudSettings, asked: Mapping[str, Any]) -> list[str]:
    """What was asked of a cloud that is up as something else, in words."""
    return [
        f"{_OPTIONS[name]} is {is_now}, you asked for {value}"
        for name, value in asked.items()
        if (is_now := attrgetter(_WITHIN.get(name, name))(existing)) != value
    ]


def command_line(asked: Mapping[str, Any]) -> str:
    """The `kilonova up` that asks for this again."""
    words = [_OPTIONS[name] if name == "hypervisor" else f"{_OPTIONS[name]} {value}" for name, value in asked.items()]
    return " ".join(["kilonova up", *words])


def _with(settings: Settings, path: str, value: Any) -> Settings:
    """The settings with another value at a dotted path."""
    name, _, rest = path.partition(".")
    return msgspec.structs.replace(settings, **{name: _with(getattr(settings, name), rest, value) if rest else value})
