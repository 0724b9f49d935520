"""`/v2/images`: records, their tags, and switching them off and on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from kilonova.api.framework import Page, Query, Reply, Request, Route, cut, next_url
from kilonova.api.framework.compile_in import Decoder
from kilonova.api.image import patch
from kilonova.api.image.fields import CreateImage, ImageFields, check_naming, check_settable, given
from kilonova.api.image.filters import ListImages, image_filter, keyset
from kilonova.api.image.patch import PatchOp
from kilonova.api.image.views import ImageView, image_view
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, InvalidField, Missing
from kilonova.domain.image import Image, ImageStatus
from kilonova.image import records
from kilonova.image.catalog import scope_of
from kilonova.image.records import NewImage
from kilonova.image.service import ImageService
from kilonova.store.queries import images

_PATH = "/v2/images"
_ATTRIBUTES = Decoder(ImageFields)
_PROPERTIES = Decoder(CreateImage)


def target(image: Image) -> dict[str, Any]:
    """What policy rules may ask of an image."""
    return {"project_id": image.owner, "owner": image.owner, "visibility": image.visibility}


def allow(req: Request[Any, Any], rule: str) -> Callable[[Image], None]:
    """A check of one rule, for a use case that finds the image itself."""
    return lambda image: req.authorize(rule, target(image))


class Images:
    """The image resource."""

    def __init__(self, service: ImageService) -> None:
        self._service = service

    def create(self, req: Request[CreateImage, Query]) -> Reply:
        """Make a record that waits for its bits."""
        for name in req.params.properties:
            check_settable(name)
        check_naming(req.params.properties)
        sent: dict[str, Any] = given(req.params)
        owner = sent.setdefault("owner", req.ctx.project_id)
        req.authorize("add_image", {"project_id": req.ctx.project_id, "owner": owner})
        _check_visibility(req, sent.get("visibility"), {"project_id": req.ctx.project_id})
        ident = req.params.id if isinstance(req.params.id, str) else None
        new = NewImage(**{**sent, "id": ident, "properties": req.params.properties})
        image = records.create(self._service, new)
        return Reply(image_view(image), headers={"Location": f"{req.root_url}{_PATH}/{image.id}"})

    def index(self, req: Request[None, ListImages]) -> Page:
        """List those that the caller may see."""
        wanted = keyset(req.query)
        with self._service.database.read() as tx:
            rows = images.page_of(tx, self._scope(req), image_filter(req.query), wanted)
        shown, more = cut(rows, (wanted.limit or 1) - 1)
        return Page([image_view(image) for image in shown], extra=_links(req, shown[-1].id if more else None))

    def show(self, req: Request[None, Query]) -> ImageView:
        """Show one."""
        with self._service.database.read() as tx:
            return image_view(images.get(tx, self._scope(req), req.path["image_id"]))

    def update(self, req: Request[list[PatchOp], Query]) -> ImageView:
        """Change one."""
        changes = patch.read(req.params)

        def edit(image: Image) -> Image:
            req.authorize("modify_image", target(image))
            folded = patch.fold(changes, image.properties)
            sent = given(_ATTRIBUTES.from_json(msgspec.json.encode(folded.attributes), req.version))
            rest = _PROPERTIES.from_json(msgspec.json.encode(folded.properties), req.version)
            _check_change(req, image, sent)
            check_naming(dict(rest.properties.items() - image.properties.items()))
            return msgspec.structs.replace(image, **sent, properties=rest.properties)

        return image_view(records.change(self._service, self._scope(req), req.path["image_id"], edit))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one."""
        records.delete(self._service, self._scope(req), req.path["image_id"], allow(req, "delete_image"))

    def put_tag(self, req: Request[None, Query]) -> None:
        """Add a tag; having it already is fine."""
        tag = req.path["tag"]
        if len(tag) > 255:
            raise InvalidField("tag", "it has more than 255 characters")
        self._retag(req, lambda tags: tuple(dict.fromkeys((*tags, tag))))

    def delete_tag(self, req: Request[None, Query]) -> None:
        """Take a tag away."""
        tag = req.path["tag"]

        def without(tags: tuple[str, ...]) -> tuple[str, ...]:
            if tag not in tags:
                raise Missing("Image tag", tag[:255])
            return tuple(one for one in tags if one != tag)

        self._retag(req, without)

    def deactivate(self, req: Request[None, Query]) -> None:
        """Keep its bits from everybody but admins."""
        self._switch(req, "deactivate", ImageStatus.DEACTIVATED)

    def reactivate(self, req: Request[None, Query]) -> None:
        """Give its bits out again."""
        self._switch(req, "reactivate", ImageStatus.ACTIVE)

    def _retag(self, req: Request[Any, Any], change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        def edit(image: Image) -> Image:
            req.authorize("modify_image", target(image))
            return msgspec.structs.replace(image, tags=change(image.tags))

        records.change(self._service, self._scope(req), req.path["image_id"], edit)

    def _switch(self, req: Request[Any, Any], rule: str, status: ImageStatus) -> None:
        def edit(image: Image) -> Image:
            req.authorize(rule, target(image))
            return records.switched_to(image, status)

        records.change(self._service, self._scope(req), req.path["image_id"], edit)

    def _scope(self, req: Request[Any, Any]) -> RequestContext:
        return scope_of(req.ctx)


def _check_visibility(req: Request[Any, Any], wanted: object, its: dict[str, Any]) -> None:
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(str(wanted))
    if rule is not None:
        req.authorize(rule, its)


def _check_change(req: Request[Any, Any], image: Image, sent: dict[str, object]) -> None:
    """What some may not change, and nobody once the bits are in."""
    if sent.get("visibility", image.visibility) != image.visibility:
        _check_visibility(req, sent["visibility"], target(image))
    if sent.get("owner", image.owner) != image.owner and not req.can("context_is_admin"):
        raise Denied("Only an admin may change the owner of an image.")
    for name in ("disk_format", "container_format"):
        if sent.get(name, before := getattr(image, name)) != before and image.status is not ImageStatus.QUEUED:
            raise Denied(f"Attribute {name} can be only replaced for a queued image.")


def _links(req: Request[Any, Any], marker: str | None) -> dict[str, str]:
    kept = [(k, v) for k, v in parse_qsl(req.query_string, keep_blank_values=True) if k != "marker"]
    links = {"first": f"{_PATH}?{urlencode(kept)}" if kept else _PATH, "schema": "/v2/schemas/images"}
    return links if marker is None else {**links, "next": f"{_PATH}?{next_url(req, marker).partition('?')[2]}"}


_ONE, _TAG = "/images/{image_id}", "/images/{image_id}/tags/{tag}"
ROUTES = (
    Route("POST", "/images", Images.create, status=201, policy="add_image", late_policy=True, params=CreateImage, view=ImageView),
    Route("GET", "/images", Images.index, policy="get_images", query=ListImages, view=ImageView, view_key="images"),
    Route("GET", _ONE, Images.show, policy="get_image", view=ImageView),
    Route(
        "PATCH", _ONE, Images.update, policy="modify_image", late_policy=True, params=list[PatchOp], media=patch.MEDIA,
        view=ImageView,
    ),
    Route("DELETE", _ONE, Images.delete, status=204, policy="delete_image", late_policy=True),
    Route("PUT", _TAG, Images.put_tag, status=204, policy="modify_image", late_policy=True),
    Route("DELETE", _TAG, Images.delete_tag, status=204, policy="modify_image", late_policy=True),
    Route("POST", f"{_ONE}/actions/deactivate", Images.deactivate, status=204, policy="deactivate", late_policy=True),
    Route("POST", f"{_ONE}/actions/reactivate", Images.reactivate, status=204, policy="reactivate", late_policy=True),
)  # fmt: skip
