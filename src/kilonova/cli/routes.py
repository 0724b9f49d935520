"""`kilonova routes`: every route of every service, from the route tables; no cloud needs to run."""

from __future__ import annotations

import click

from kilonova.cli.output import output_option, print_rows

_COLUMNS = ("service", "method", "path", "action", "status", "min", "max", "policy")


@click.command()
@click.option("--service", metavar="NAME", help="Only this service's.")
@output_option
def routes(service: str | None, output: str) -> None:
    """List every route of every service."""
    import msgspec  # noqa: PLC0415 - only here

    from kilonova.bootstrap.cloud import route_rows  # noqa: PLC0415 - the whole cloud; only this command needs it

    rows = [msgspec.to_builtins(row) for row in route_rows() if service in (None, row.service)]
    print_rows(rows, output, columns=_COLUMNS)
