"""`/v2/info`: where bits are kept, how they come in, and how much of a project's share is used."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Query, Request, Route
from kilonova.image.service import ImageService
from kilonova.store.queries import images

_STORE = {"id": "files", "description": "Files on the cloud's own disks", "default": "true"}
_MIB = 1024 * 1024


class Info:
    """What clients may know of the service."""

    def __init__(self, service: ImageService) -> None:
        self._service = service

    def stores(self, _: Request[None, Query]) -> dict[str, Any]:
        """The stores: one."""
        return {"stores": [_STORE]}

    def stores_detail(self, _: Request[None, Query]) -> dict[str, Any]:
        """The stores, as an operator sees them."""
        return {"stores": [{**_STORE, "type": "file", "weight": 0, "properties": {}}]}

    def imports(self, _: Request[None, Query]) -> dict[str, Any]:
        """The ways of import: none, bits are uploaded."""
        about = {"description": "Import methods available.", "type": "array", "value": []}
        return {"import-methods": about}

    def usage(self, req: Request[None, Query]) -> dict[str, Any]:
        """What the caller's project has and may have: sizes in MiB."""
        with self._service.database.read() as tx:
            used = images.use(tx, req.ctx.project_id)
        limits = self._service.limits
        return {
            "usage": {
                "image_size_total": {"limit": limits.project_size // _MIB, "usage": -(-used.size // _MIB)},
                "image_count_total": {"limit": limits.project_images, "usage": used.images},
                "image_count_uploading": {"limit": limits.project_images, "usage": used.uploads},
            }
        }


ROUTES = (
    Route("GET", "/info/stores", Info.stores),
    Route("GET", "/info/stores/detail", Info.stores_detail, policy="stores_info_detail"),
    Route("GET", "/info/import", Info.imports),
    Route("GET", "/info/usage", Info.usage),
)
