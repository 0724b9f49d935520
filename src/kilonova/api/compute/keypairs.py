"""Key pairs: a user's own, or for an administrator anybody's (2.10)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import UNSET

from kilonova.api.compute.common import one_more
from kilonova.api.framework import (
    Maybe,
    Meta,
    Page,
    PageQuery,
    Params,
    Query,
    Reply,
    Request,
    Route,
    View,
    becomes,
    cut,
    next_links,
    read_paging,
    reads,
    required,
    since,
    until,
)  # fmt: skip
from kilonova.api.framework.types import iso_us
from kilonova.compute.keypairs import KeyPairs as KeyPairUseCases
from kilonova.domain.errors import Denied
from kilonova.domain.flavor import KeyPair
from kilonova.runtime import Runtime
from kilonova.store.queries import keypairs
from kilonova.store.queries.keyset import Keyset

_RULE = "os_compute_api:os-keypairs"
_NAME = re.compile(r"[A-Za-z0-9 _-]+")
_LATER_NAME = re.compile(r"[A-Za-z0-9 _.@-]+")


def _checked(letters: re.Pattern[str], told: str) -> Any:
    def check(name: str) -> str:
        if name != name.strip() or not letters.fullmatch(name):
            raise ValueError(f"a key pair's name has {told} only, and no blanks at its ends")
        return name

    return check


_Length = Meta(min_length=1, max_length=255)
EarlyName = Annotated[str, _Length, reads(_checked(_NAME, "letters, digits, '-', '_' and blanks"))]
LaterName = Annotated[str, _Length, reads(_checked(_LATER_NAME, "letters, digits, '-', '_', '.', '@' and blanks"))]


class CreateKeyPair(Params):
    """A key to be kept, or a pair to be made: then without `public_key`, until 2.91."""

    name: Annotated[EarlyName, becomes("2.92", LaterName)]
    public_key: Annotated[Maybe[Annotated[str, Meta(max_length=16_384)]], required(since("2.92"))] = UNSET
    type: Annotated[Maybe[Literal["ssh", "x509"]], since("2.2")] = UNSET
    user_id: Annotated[Maybe[str], since("2.10")] = UNSET


class OfUser(Query, strict=since("2.75")):
    """Whose."""

    user_id: Annotated[Maybe[str], since("2.10")] = UNSET


class ListKeyPairs(Query, strict=since("2.75")):
    """Whose, and from 2.35 on in pages."""

    user_id: Annotated[Maybe[str], since("2.10")] = UNSET
    limit: Annotated[Maybe[Annotated[int, Meta(ge=0)]], since("2.35")] = UNSET
    marker: Annotated[Maybe[Annotated[str, Meta(max_length=255)]], since("2.35")] = UNSET


class ListedPair(View):
    """A key pair in a list."""

    name: str
    public_key: str
    fingerprint: str
    type: Annotated[str, since("2.2")]


class KeyPairItem(View):
    """Lists wrap each."""

    keypair: ListedPair


class CreatedPair(ListedPair):
    """A new pair; the private key is told this once."""

    user_id: str
    private_key: Annotated[Maybe[str], until("2.91")] = UNSET


class KeyPairView(ListedPair):
    """A key pair, with what its record says beside."""

    user_id: str
    id: int
    created_at: str | None
    updated_at: str | None = None
    deleted: bool = False
    deleted_at: str | None = None


class KeyPairs:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: KeyPairUseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def index(self, req: Request[None, ListKeyPairs]) -> Page:
        """A user's, by name."""
        user_id = _user(req, "index", req.query.user_id)
        page = read_paging(PageQuery(limit=req.query.limit, marker=req.query.marker), default_sort=())
        keyset = one_more(page) if req.query.limit is not UNSET or req.query.marker is not UNSET else Keyset()
        with self._database.read() as tx:
            found = keypairs.page_of(tx, user_id, keyset)
        rows, more = cut(found, page.limit if keyset.limit else len(found))
        return Page(
            [KeyPairItem(keypair=ListedPair(**_common(row))) for row in rows],
            links=next_links(req, rows[-1].name if more else None),
        )

    def show(self, req: Request[None, OfUser]) -> KeyPairView:
        """One."""
        user_id = _user(req, "show", req.query.user_id)
        with self._database.read() as tx:
            pair = keypairs.get(tx, user_id, req.path["name"])
        return KeyPairView(**_common(pair), user_id=pair.user_id, id=pair.number, created_at=iso_us(pair.created_at))

    def create(self, req: Request[CreateKeyPair, Query]) -> Reply:
        """Keep one, or make one."""
        sent = req.params
        user_id = _user(req, "create", sent.user_id)
        kind = "ssh" if sent.type is UNSET else sent.type
        public = None if sent.public_key is UNSET else sent.public_key
        pair, private = self._use_cases.add(req.ctx, user_id, sent.name, kind, public)
        return Reply(CreatedPair(**_common(pair), user_id=pair.user_id, private_key=private or UNSET))

    def delete(self, req: Request[None, OfUser]) -> None:
        """Forget one."""
        self._use_cases.delete(_user(req, "delete", req.query.user_id), req.path["name"])


def _user(req: Request[Any, Any], verb: str, named: Any) -> str:
    """The user whose keys are meant, if the caller may act for him. Raises Denied."""
    user_id = req.ctx.user_id if named is UNSET else named
    if not user_id:
        raise Denied("Key pairs belong to users: this token speaks for none.")
    req.authorize(f"{_RULE}:{verb}", {"user_id": user_id})
    return str(user_id)


def _common(pair: KeyPair) -> dict[str, Any]:
    return {"name": pair.name, "public_key": pair.public_key, "fingerprint": pair.fingerprint, "type": pair.type}


_ONE = "/os-keypairs/{name}"

ROUTES = (
    Route("GET", "/os-keypairs", KeyPairs.index, policy=f"{_RULE}:index", late_policy=True, query=ListKeyPairs,
          view=KeyPairItem, view_key="keypairs", summary="List key pairs"),
    Route("POST", "/os-keypairs", KeyPairs.create, versions=until("2.1"), policy=f"{_RULE}:create", late_policy=True,
          params=CreateKeyPair, params_key="keypair", view=CreatedPair, view_key="keypair", summary="Create a key pair"),
    Route("POST", "/os-keypairs", KeyPairs.create, versions=since("2.2"), status=201, policy=f"{_RULE}:create",
          late_policy=True, params=CreateKeyPair, params_key="keypair", view=CreatedPair, view_key="keypair",
          summary="Create a key pair"),
    Route("GET", _ONE, KeyPairs.show, policy=f"{_RULE}:show", late_policy=True, query=OfUser, view=KeyPairView,
          view_key="keypair", summary="Show a key pair"),
    Route("DELETE", _ONE, KeyPairs.delete, versions=until("2.1"), status=202, policy=f"{_RULE}:delete", late_policy=True,
          query=OfUser, summary="Delete a key pair"),
    Route("DELETE", _ONE, KeyPairs.delete, versions=since("2.2"), status=204, policy=f"{_RULE}:delete", late_policy=True,
          query=OfUser, summary="Delete a key pair"),
)  # fmt: skip
