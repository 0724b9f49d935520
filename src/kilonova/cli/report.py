"""What `kilonova up` tells: the way in, what was chosen, what to do next; and the clouds.yaml files that say it again."""

from __future__ import annotations

import json
from typing import Any

from kilonova.cli import cloudsyaml
from kilonova.cli.accounts import user_clouds_file
from kilonova.cli.client import local_client
from kilonova.cli.errors import CliError
from kilonova.cli.output import pairs
from kilonova.cli.places import command_for
from kilonova.cli.talk import put, put_lines, say
from kilonova.settings import CloudSettings

_SERVICES = {"identity": "/identity/v3", "compute": "/compute/v2.1", "image": "/image", "network": "/networking"}
_CHOSEN = ("database", "bus", "hypervisor", "accelerator", "accelerator_why", "hosts", "hosts_problem")
Section = tuple[str, list[tuple[str, str]]]


def passwords(settings: CloudSettings) -> dict[str, str]:
    """The first passwords by user. Raises CliError when they cannot be read."""
    path = settings.data_dir / "credentials.json"
    try:
        made = json.loads(path.read_bytes())
        return {user: made[f"{user}_password"] for user in ("admin", "demo")}
    except (OSError, ValueError, KeyError) as broken:
        raise CliError(f"The credentials in {path} cannot be read: {broken}", next_step="sudo kilonova up") from broken


def write_clouds(settings: CloudSettings) -> None:
    """The entries in the data directory's file, whole and as the settings are now."""
    path = settings.data_dir / "clouds.yaml"
    cloudsyaml.merge(path, cloudsyaml.cloud_entries(settings.base_url, passwords(settings)))


def tell(settings: CloudSettings, state: str) -> None:
    """Write the user's clouds.yaml, and print what there is to know about a cloud that answers."""
    made = passwords(settings)
    path = user_clouds_file()
    for name in cloudsyaml.merge(path, cloudsyaml.cloud_entries(settings.base_url, made)):
        say(f"The entry {name} of {path} led to another cloud, and leads to this one now.")
    with local_client(settings.data_dir) as client:
        chosen = client.get("kilonova", "/status")["status"]["chosen"]
    print_sections(sections(settings, chosen, made, str(path)), f"The cloud {state}.")


def sections(settings: CloudSettings, chosen: dict[str, Any], made: dict[str, str], clouds_file: str) -> list[Section]:
    """What to print, in groups."""
    return [
        ("Services", [(name, settings.base_url + path) for name, path in _SERVICES.items()]),
        ("Credentials", [*((user, made[user]) for user in made), ("clouds.yaml", clouds_file)]),
        ("Made of", [*_made_of(chosen), ("data", str(settings.data_dir))]),
        ("Next", _next(settings)),
    ]


def print_sections(groups: list[Section], title: str) -> None:
    """A title, and aligned groups under headings."""
    put_lines(title, bold=True)
    for heading, facts in groups:
        put_lines(f"\n{heading}", fg="cyan")
        for line in pairs(facts):
            put(f"  {line}")


def _made_of(chosen: dict[str, Any]) -> list[tuple[str, str]]:
    facts = {name: str(chosen[name]) for name in (*_CHOSEN, *sorted(set(chosen) - set(_CHOSEN))) if chosen.get(name)}
    why = facts.pop("accelerator_why", "")
    if why and "accelerator" in facts:
        facts["accelerator"] += f" ({why})"
    return [(name.replace("_", " "), value) for name, value in facts.items()]


def _next(settings: CloudSettings) -> list[tuple[str, str]]:
    is_sim = settings.hypervisor == "sim"
    doctor = [] if is_sim else [("kilonova doctor", "what this machine has and lacks")]
    image = "openstack --os-cloud kilonova image create NAME --container-format bare --disk-format"
    return [
        (f"{image} raw --file FILE", "upload an image: for simulated hosts any file will do")
        if is_sim
        else (f"{image} qcow2 --file FILE", "upload an image"),
        ("kilonova boot NAME", "boot a server and wait for it"),
        ("openstack --os-cloud kilonova server list", "or use any OpenStack client"),
        *doctor,
        (
            command_for(settings.data_dir, "kilonova down"),
            "stop the cloud; guests go on running" if doctor else "stop the cloud",
        ),
    ]
