"""
The `kilonova` command.

A subcommand is imported when it is called, not before: `kilonova --help` costs no more than an import of click. So this
table says where each is and what its one line of help is; everything else is with the subcommand.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from kilonova import __version__
from kilonova.cli.errors import CliError, did_you_mean

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "The cloud": {
        "up": ("up:up", "Bring up a cloud on this machine, or say that it is up."),
        "down": ("down:down", "Stop it; with --purge remove all of it."),
        "status": ("status:status", "What it is made of and how it fares."),
        "doctor": ("doctor.command:doctor", "What this machine has and lacks for a cloud, with remedies."),
        "keys": ("token_keys:keys", "The keys that tokens are sealed with: list and replace them."),
        "audit": ("status:audit", "Count what should not exist."),
        "backup": ("backup:backup", "Write all of it into a file, but servers' disks."),
        "restore": ("backup:restore", "Make it what it was when a backup was written."),
        "routes": ("routes:routes", "List every route of every service."),
    },
    "Placement": {
        "bench": ("bench:bench", "Measure what scheduling costs on this machine."),
        "rebalance": ("rebalance:rebalance", "Propose moves of servers, with the gain and reason of each."),
        "simulate": ("simulate:simulate", "Run a workload over a described fleet, policy beside policy."),
    },
    "A fleet": {
        "host": ("host:host", "Hosts: let one in, look at them, take them out of use, remove them."),
        "config": ("config:config", "Write and check the settings of its processes."),
        "db": ("db:db", "Make, upgrade and fill its database."),
        "dead-letters": ("dead_letters:dead_letters", "Look at, replay or drop messages that nobody could take."),
        "api": ("fleet:api", "Run an API process."),
        "conductor": ("fleet:conductor", "Run a conductor process."),
        "scheduler": ("fleet:scheduler", "Run a scheduler process."),
        "agent": ("fleet:agent", "Run an agent: this machine as a host, or simulated hosts."),
    },
    "Servers": {
        "boot": ("boot:boot", "Boot servers and wait for them."),
        "ps": ("servers:ps", "List servers."),
        "show": ("servers:show", "Show a server."),
        "logs": ("logs:logs", "Print a server's console log."),
        "ssh": ("ssh:ssh", "Log in to a server."),
        "wait": ("servers:wait", "Wait for a server to be active, have an address, answer ssh, or be gone."),
        "explain": ("explain:explain", "Say why a server is where it is, or nowhere."),
        "place": ("explain:place", "Ask where servers would go, without booting any."),
        "delete": ("servers:delete", "Delete servers."),
    },
}
_HIDDEN = {"serve": ("serve:serve", "Run a cloud in the foreground.")}
_COMMANDS = {name: where for group in _GROUPS.values() for name, where in group.items()} | _HIDDEN


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All that are not hidden, as the help groups them."""
        return [name for group in _GROUPS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"kilonova.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a guess at what was meant."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            names = self.list_commands(ctx)
            raise click.UsageError(f"There is no command {args[0]!r}.{did_you_mean(args[0], names)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that no command has to be imported to be listed."""
        for title, commands in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="kilonova", message="%(prog)s %(version)s")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")
@click.option("--cloud", metavar="NAME", envvar="OS_CLOUD", help="The entry of clouds.yaml to use; default: kilonova.")
@click.option(
    "--data-dir",
    "root_data_dir",
    metavar="DIR",
    envvar="KILONOVA_DATA_DIR",
    type=click.Path(file_okay=False),
    help="The data directory of a cloud of this machine.",
)
def cli(**_: Any) -> None:
    """
    A compute cloud in one command: `kilonova up`, then `kilonova boot NAME`.

    Data goes to stdout, talk to stderr. Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not found, 4 timed out, 5 no capacity.
    """


def main() -> None:
    """The entry point. A traceback is for who asks for it (KILONOVA_DEBUG=1); everybody else is told where to get it."""
    try:
        cli(prog_name="kilonova")
    except Exception as bug:
        if os.environ.get("KILONOVA_DEBUG"):
            raise
        text = f"{type(bug).__name__}: {bug}. This should not have happened: it is a fault of this command itself."
        CliError(text, next_step=f"KILONOVA_DEBUG=1 kilonova {' '.join(sys.argv[1:2])} …   # shows where").show()
        sys.exit(1)


if __name__ == "__main__":
    main()
