"""Logs of every process: JSON lines on stderr, with the request id where there is one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

import msgspec
import structlog
from structlog.typing import EventDict, Processor


def configure_logs(level: str = "info", always: Mapping[str, str] | None = None) -> None:
    """One JSON object a line, for our own logs and the libraries'; `always` are fields that each of them has."""

    def sign(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **(always or {})}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        sign,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.JSONRenderer(_json)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _json(event: object, **_options: object) -> str:
    """A log line several times faster than the standard library makes it; what is no JSON by nature is shown as text."""
    return msgspec.json.encode(event, enc_hook=repr).decode()
