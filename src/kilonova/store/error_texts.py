"""
What errors of the database say: what is wrong, and nothing of the values that were given to it.

`hide_parameters` keeps a statement's parameters out of SQLAlchemy's own words. PostgreSQL repeats values in its own: in the lines
after the first ("Failing row contains (…)", "Key (name)=(…) already exists"), and behind a colon in the first where the value is
what is wrong ('invalid input syntax for type integer: "…"'). Errors end up in logs, dead letters and journals, and a value may be
a password. Names in quotation marks (of constraints, columns) follow no colon, and stay.
"""

from __future__ import annotations

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext


def keep_values_out(engine: Engine) -> None:
    """Have no error of this engine repeat a value."""

    @event.listens_for(engine, "handle_error")
    def _shorten(context: ExceptionContext) -> None:
        original, raised = context.original_exception, context.sqlalchemy_exception
        if getattr(original, "sqlstate", None) is None:
            return  # not PostgreSQL's own: no connection, say, and then every line is worth reading
        said = str(original)
        short = without_values(said)
        if short == said:
            return
        original.args = (short, *original.args[1:])
        if raised is not None:
            raised.args = tuple(one.replace(said, short) if isinstance(one, str) else one for one in raised.args)


def without_values(message: str) -> str:
    """The part of a driver's message that holds no value."""
    first = message.partition("\n")[0]
    return first.partition(': "')[0]
