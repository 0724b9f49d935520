"""Image records for the other rooms: they ask with their caller's eyes, when a request is accepted."""

from __future__ import annotations

from kilonova.domain.context import RequestContext
from kilonova.domain.image import Image
from kilonova.store.database import Database
from kilonova.store.queries import images


def scope_of(ctx: RequestContext) -> RequestContext:
    """What a caller sees of the images: admins see everybody's, as in Glance."""
    return ctx.across_projects() if ctx.is_admin else ctx


class ImageCatalog:
    """The images there are, in whatever status; the caller checks that. Fills `compute.neighbours.Images`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, ctx: RequestContext, image_id: str) -> Image:
        """One that the caller may see: public, community, the project's own or shared with it. Raises Missing."""
        with self._database.read() as tx:
            return images.get(tx, scope_of(ctx), image_id)
