"""
The process behind `kilonova up`: one cloud, all in one, served by uvicorn until it is told to stop.

Logs are JSON lines on stderr, with the request id where there is one. SIGTERM and SIGINT stop it gracefully: the listener
first, then agents, conductor and scheduler, each finishing what it has under way. Guests go on running.
"""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import msgspec
import structlog
import uvicorn
from structlog.typing import Processor

from kilonova.bootstrap.cloud import Cloud
from kilonova.domain.errors import Missing
from kilonova.settings import load


def serve(data_dir: Path) -> None:
    """Run the cloud that lives in a data directory. Raises Missing when none does."""
    settings = load(data_dir)
    if settings is None:
        raise Missing("Cloud", data_dir, next_step="Make one with `kilonova up`.")
    configure_logs()
    # uvicorn stops on SIGTERM and then raises it again, which by default would end us with everything but the listener running.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(0))
    cloud = Cloud(settings)
    cloud.start()
    try:
        config = uvicorn.Config(
            cloud.app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
            lifespan="off",
        )
        uvicorn.Server(config).run()
    finally:
        cloud.stop()


def configure_logs() -> None:
    """One JSON object a line, for our own logs and the libraries'."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.JSONRenderer(_json)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _json(event: object, **_options: object) -> str:
    """A log line several times faster than the standard library makes it; what is no JSON by nature is shown as text."""
    return msgspec.json.encode(event, enc_hook=repr).decode()
