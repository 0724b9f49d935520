"""What the compute use cases need of their neighbours: embedded ones are wired by bootstrap, or real ones in their place."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from kilonova.domain.boot import NicRequest
from kilonova.domain.context import RequestContext
from kilonova.domain.image import Image
from kilonova.store.database import Tx

WantedNics: TypeAlias = tuple[NicRequest, ...] | Literal["auto", "none"] | None
"""The interfaces asked for: named ones, one on the project's network (None, where nothing was said, and "auto"), or none."""


class Images(Protocol):
    """Image records, as the caller may see them."""

    def get(self, ctx: RequestContext, image_id: str) -> Image:
        """One image. Raises Missing when there is none that the caller may boot from."""


class ResolvedNics(Protocol):
    """Interfaces and security groups as the boot saga will make them."""

    @property
    def nics(self) -> tuple[NicRequest, ...]:
        """In order; the same for each server of the request."""

    @property
    def group_ids(self) -> tuple[str, ...]:
        """The security groups of ports that the cloud makes."""


class NicResolver(Protocol):
    """Checks wanted interfaces against the records: networks visible, ports free, addresses in range, quotas."""

    def resolve(
        self, tx: Tx, ctx: RequestContext, wanted: WantedNics, count: int, security_groups: tuple[str, ...]
    ) -> ResolvedNics:
        """Resolve for `count` servers; groups are named by name or id. Raises Rejected, Conflict or OverQuota."""


class Projects(Protocol):
    """The projects there are."""

    def exists(self, project_id: str) -> bool:
        """Whether there is such a project."""
