"""Image v2: the resources, a file each, and the service they make together."""

from __future__ import annotations

from kilonova.api.framework import IMAGE, Service, bind
from kilonova.api.image import data, discovery, images, info, members, schemas
from kilonova.api.image.policies import POLICIES
from kilonova.image.service import ImageService

_RESOURCES = (
    (images.ROUTES, images.Images),
    (data.ROUTES, data.ImageData),
    (members.ROUTES, members.Members),
    (info.ROUTES, info.Info),
)


def image_service(service: ImageService) -> Service:
    """The service under `/image`, for the rim."""
    bound = [route for table, resource in _RESOURCES for route in bind(table, resource(service))]
    return Service(
        "image",
        mount="/image",
        prefix="/v2",
        style=IMAGE,
        routes=[*discovery.ROUTES, *schemas.ROUTES, *bound],
        root_routes=discovery.ROOT_ROUTES,
    )


__all__ = ["POLICIES", "image_service"]
