"""
The process behind `kilonova up`: one cloud, all in one, served until it is told to stop.

SIGTERM and SIGINT stop it gracefully, whenever they come and however often: the listener first, then agents, conductor and
scheduler, each finishing what it has under way. Guests go on running.
"""

from __future__ import annotations

import threading
from pathlib import Path

from kilonova.bootstrap.cloud import Cloud
from kilonova.daemon.descriptors import raise_descriptor_limit
from kilonova.daemon.life import settle, until_told
from kilonova.daemon.listener import Listener
from kilonova.domain.errors import Missing
from kilonova.logfile import LogFile
from kilonova.logs import configure_logs
from kilonova.private import close_to_others, keep_private
from kilonova.settings import CloudSettings, load

DRAIN_S = 10


def serve(data_dir: Path, log_file: Path | None = None) -> None:
    """
    Run the cloud that lives in a data directory; what it logs goes to the file, or to stderr.

    Raises Missing when there is no cloud, Conflict when its port cannot be had.
    """
    settings = load(data_dir)
    if settings is None:
        raise Missing("Cloud", data_dir, next_step="Make one with `kilonova up`.")
    configure_logs(to=None if log_file is None else LogFile(log_file, settings.log))
    raise_descriptor_limit()
    keep_private()
    close_to_others((data_dir, *data_dir.iterdir()))
    # Before anything starts: who is told meanwhile stops what it has begun, once it has.
    _serve(settings, until_told())


def _serve(settings: CloudSettings, told: threading.Event) -> None:
    cloud = Cloud(settings)
    cloud.start()
    try:
        listener = Listener(
            cloud.app,
            settings.host,
            settings.port,
            drain_s=DRAIN_S,
            connections=cloud.connections,
            on_leave=cloud.app.leave,
        )
        listener.start()
        settle()
        told.wait()
        listener.stop()
    finally:
        cloud.stop()
