"""`/v2/images/{image_id}/members`: sharing."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.framework import Meta, Page, Params, Query, Request, Route, reads
from kilonova.api.image.fields import one_of
from kilonova.api.image.images import allow
from kilonova.api.image.views import MemberView, member_view
from kilonova.domain.context import RequestContext
from kilonova.domain.image import MEMBER_STATUSES
from kilonova.image import members
from kilonova.image.catalog import scope_of
from kilonova.image.service import ImageService


class AddMember(Params):
    """The project to share with."""

    member: Annotated[str, Meta(min_length=1, max_length=255)]


class AnswerMember(Params, strict=False):
    """What that project thinks of it. Clients send more, which the URL has said already."""

    status: Annotated[str, reads(one_of(MEMBER_STATUSES))]


class Members:
    """The member resource."""

    def __init__(self, service: ImageService) -> None:
        self._service = service

    def index(self, req: Request[None, Query]) -> Page:
        """List them all, or to a member itself."""
        found = members.index(self._service, self._scope(req), req.path["image_id"])
        return Page([member_view(one) for one in found], extra={"schema": "/v2/schemas/members"})

    def show(self, req: Request[None, Query]) -> MemberView:
        """Show one."""
        return member_view(members.show(self._service, self._scope(req), *self._names(req)))

    def create(self, req: Request[AddMember, Query]) -> MemberView:
        """Share with one more project."""
        image_id, check = req.path["image_id"], allow(req, "add_member")
        return member_view(members.add(self._service, self._scope(req), image_id, req.params.member, check))

    def update(self, req: Request[AnswerMember, Query]) -> MemberView:
        """Accept or decline, as the member."""
        image_id, member = self._names(req)
        members.show(self._service, self._scope(req), image_id, member)  # 404 before 403
        req.authorize("modify_member", {"project_id": member, "member_id": member})
        return member_view(members.answer(self._service, self._scope(req), image_id, member, req.params.status))

    def delete(self, req: Request[None, Query]) -> None:
        """Share with one project less."""
        members.remove(self._service, self._scope(req), *self._names(req), allow(req, "delete_member"))

    def _names(self, req: Request[Any, Any]) -> tuple[str, str]:
        return req.path["image_id"], req.path["member_id"]

    def _scope(self, req: Request[Any, Any]) -> RequestContext:
        return scope_of(req.ctx)


_ALL, _ONE = "/images/{image_id}/members", "/images/{image_id}/members/{member_id}"
ROUTES = (
    Route("GET", _ALL, Members.index, policy="get_members", view=MemberView, view_key="members"),
    Route("POST", _ALL, Members.create, policy="add_member", late_policy=True, params=AddMember, view=MemberView),
    Route("GET", _ONE, Members.show, policy="get_member", view=MemberView),
    Route("PUT", _ONE, Members.update, policy="modify_member", late_policy=True, params=AnswerMember, view=MemberView),
    Route("DELETE", _ONE, Members.delete, status=204, policy="delete_member", late_policy=True),
)
