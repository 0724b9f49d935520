"""Wires the scheduler."""

from __future__ import annotations

from kilonova.runtime import Runtime
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings


def make_scheduler(runtime: Runtime, settings: SchedulerSettings) -> SchedulerService:
    """A scheduler, stopped. Raises Rejected when its settings name filters or weighers that are not there."""
    return SchedulerService(runtime.db, runtime.bus, runtime.clock, settings)
