"""`kilonova rebalance`: what servers should be moved, what each move gains and why."""

from __future__ import annotations

import click

from kilonova.cli.client import ApiError, Client, connect
from kilonova.cli.errors import USAGE, CliError
from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import say

_COLUMNS = ("server", "source", "target", "ram", "gain", "reason")


@click.command()
@click.option("--plan", "what", flag_value="plan", help="Propose moves; nothing is moved.")
@click.option(
    "--apply", "what", flag_value="apply", help="Carry the plan out (refused until hosts can migrate servers)."
)
@click.option("--undo", "what", flag_value="undo", help="Take the last plan back (the same).")
@click.option(
    "--goal",
    type=click.Choice(["spread", "pack"]),
    default="spread",
    show_default=True,
    help="Use hosts alike, or empty hosts.",
)
@click.option(
    "--max-moves", type=click.IntRange(1, 1000), default=20, show_default=True, help="No more moves than these."
)
@click.option("--max-ram", type=click.IntRange(1), metavar="MIB", help="No more RAM to copy than this.")
@output_option
def rebalance(what: str | None, goal: str, max_moves: int, max_ram: int | None, output: str) -> None:  # fmt: skip
    """
    Propose moves of servers between hosts, for administrators.

    Every move passes all of the scheduler's filters and fits at its turn; groups are kept. A plan reads the
    records and asks no host.
    """
    if what is None:
        raise CliError("Say what to do with a plan.", next_step="kilonova rebalance --plan", exit_code=USAGE)
    with connect() as client:
        if what != "plan":
            _carry_out(client, what)
            return
        plan = client.get("kilonova", "/rebalance", goal=goal, max_moves=max_moves, max_ram=max_ram)["rebalance"]
    if output == "table":
        made = len(plan["moves"])
        said = f"{made} move{'' if made == 1 else 's'} of {plan['ram']} MiB"
        say(f"{plan['measure']}: {plan['before']:.4g} now, {plan['after']:.4g} after {said}; {plan['ended']}.")
        for reason, count in plan["fixed"].items():
            say(f"{count} of {plan['servers']} servers stay: {reason}.")
    if output in ("json", "yaml"):
        print_facts(plan, output)
    else:
        moves = [{**move, "id": move["server_id"], "gain": f"{move['gain']:.4f}"} for move in plan["moves"]]
        print_rows(moves, output, columns=_COLUMNS)


def _carry_out(client: Client, what: str) -> None:
    try:
        client.call("kilonova", "POST", f"/rebalance/{what}")
    except ApiError as refused:
        refused.next_step = "kilonova rebalance --plan" if refused.status == 409 else refused.next_step
        raise
