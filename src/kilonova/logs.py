"""
Logs of every process: JSON lines on stderr or in a file, with the request id where there is one.

Whatever a line tells of may be a stranger's, so each text in it has a bound here, and nowhere else.
"""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor

LONGEST, LONGEST_TRACE = 2048, 16_384  # characters of a text, and of a traceback, whose end says what it is about
_TRACES = frozenset(("traceback", "exception", "stack"))
_MOST_ITEMS, _DEEPEST = 100, 4


class Sink(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """A line, with its end."""

    def flush(self) -> object:
        """Have it where it belongs."""


def configure_logs(level: str = "info", always: Mapping[str, str] | None = None, to: Sink | None = None) -> None:
    """One JSON object a line, for our own logs and the libraries'; `always` are fields that each of them has."""
    sink = _Forgiving(sys.stderr if to is None else to)

    def sign(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **(always or {})}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        sign,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        bound_fields,
    ]
    renderer = structlog.processors.JSONRenderer(_json)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", sink)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", sink))
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Forgiving:
    """Of a sink: a line that finds no room on the disk is lost, and who wrote it goes on with what it was doing."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, text: str, /) -> None:
        """Write it, if it can be."""
        with suppress(OSError):
            self._sink.write(text)

    def flush(self) -> None:
        """Have it where it belongs, if it can be."""
        with suppress(OSError):
            self._sink.flush()


def bound_fields(_logger: object, _method: str, event: EventDict) -> EventDict:
    """No text of a line longer than it may be, however deep in it; what was left out is counted."""
    return {key: _bounded(value, LONGEST_TRACE if key in _TRACES else LONGEST) for key, value in event.items()}


def _bounded(value: Any, longest: int, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else _cut(value, longest)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth < _DEEPEST:
        left = f"and {len(value) - _MOST_ITEMS} more"
        some = itertools.islice(value.items() if isinstance(value, Mapping) else value, _MOST_ITEMS)
        if isinstance(value, Mapping):
            found = {_bounded(str(key), longest): _bounded(one, longest, depth + 1) for key, one in some}
            return found | ({"...": left} if len(value) > _MOST_ITEMS else {})
        items = [_bounded(one, longest, depth + 1) for one in some]
        return [*items, left] if len(value) > _MOST_ITEMS else items
    if isinstance(value, bytes):
        return _bounded(value.decode(errors="replace"), longest)
    plain = msgspec.to_builtins(value, enc_hook=repr) if depth < _DEEPEST else repr(value)
    return _bounded(plain, longest, depth + 1)


def _cut(text: str, longest: int) -> str:
    """The beginning, and of a traceback the end as well."""
    end = text[-longest // 2 :] if longest == LONGEST_TRACE else ""
    begin = text[: longest - len(end)]
    return f"{begin}... ({len(text) - longest} characters left out) ...{end}".removesuffix(" ...")


def _json(event: object, **_options: object) -> str:
    """A log line several times faster than the standard library makes it; what is no JSON by nature is shown as text."""
    return msgspec.json.encode(event, enc_hook=repr).decode()
