"""`kilonova api`, `conductor`, `scheduler`, `agent`: the processes of a fleet, for a terminal or an init system."""

from __future__ import annotations

from pathlib import Path

import click

from kilonova.cli.config import CONFIG_OPTION, explained


@click.command()
@CONFIG_OPTION
def api(config_file: Path) -> None:
    """Run an API process, until SIGTERM. Requests under way are finished."""
    _control_plane("api", config_file)


@click.command()
@CONFIG_OPTION
def conductor(config_file: Path) -> None:
    """Run a conductor process, until SIGTERM. Turns under way are finished, leases given back."""
    _control_plane("conductor", config_file)


@click.command()
@CONFIG_OPTION
def scheduler(config_file: Path) -> None:
    """Run a scheduler process, until SIGTERM."""
    _control_plane("scheduler", config_file)


@click.command()
@CONFIG_OPTION
def agent(config_file: Path) -> None:
    """Run an agent process, until SIGTERM. Guests go on running."""
    # Imported here, and nothing of the control plane: an agent's process never loads what reads the database.
    from kilonova.bootstrap.host import make_agent  # noqa: PLC0415
    from kilonova.config.load import DEFAULT_PATH, load_config  # noqa: PLC0415
    from kilonova.config.sections import AgentConfig  # noqa: PLC0415
    from kilonova.daemon.life import live  # noqa: PLC0415
    from kilonova.logs import configure_logs  # noqa: PLC0415
    from kilonova.private import keep_private  # noqa: PLC0415

    with explained():
        # A host that has joined needs no settings but what it was given then.
        config = load_config(AgentConfig, config_file, may_lack=config_file == DEFAULT_PATH)
        configure_logs(config.log.level, {"process": "agent"}, config.log.sink("agent", config.agent.name))
        keep_private()
        live(make_agent(config))


def _control_plane(kind: str, config_file: Path) -> None:
    from kilonova.bootstrap import fleet  # noqa: PLC0415 - the whole control plane
    from kilonova.config.fleet import FleetConfig  # noqa: PLC0415
    from kilonova.config.load import load_config  # noqa: PLC0415
    from kilonova.daemon.life import live  # noqa: PLC0415
    from kilonova.logs import configure_logs  # noqa: PLC0415
    from kilonova.private import keep_private  # noqa: PLC0415

    make = {"api": fleet.make_api, "conductor": fleet.make_conductor, "scheduler": fleet.make_scheduler_process}[kind]
    with explained():
        config = load_config(FleetConfig, config_file)
        configure_logs(config.log.level, {"process": kind}, config.log.sink(kind, getattr(config, kind).name))
        keep_private()
        live(make(config))
