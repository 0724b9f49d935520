"""Wires the scheduler."""

from __future__ import annotations

from kilonova.bootstrap.ground import Ground
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings


def make_scheduler(ground: Ground, settings: SchedulerSettings) -> SchedulerService:
    """A scheduler, stopped. Raises Rejected when its settings name filters or weighers that are not there."""
    return SchedulerService(ground.db, ground.bus, ground.clock, settings)
