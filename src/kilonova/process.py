"""
The process behind `kilonova up`: one cloud, all in one, served by uvicorn until it is told to stop.

SIGTERM and SIGINT stop it gracefully: the listener
first, then agents, conductor and scheduler, each finishing what it has under way. Guests go on running.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import uvicorn

from kilonova.api.framework.heads import BoundedHeads
from kilonova.bootstrap.cloud import Cloud
from kilonova.daemon.life import settle
from kilonova.domain.errors import Missing
from kilonova.logs import configure_logs
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
    settle()
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
            http=BoundedHeads,
        )
        uvicorn.Server(config).run()
    finally:
        cloud.stop()
