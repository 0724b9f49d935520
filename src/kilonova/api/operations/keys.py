"""The keys that tokens are sealed with: list them, replace them."""

from __future__ import annotations

from datetime import datetime

from kilonova.api.framework import PolicyRule, Query, Request, Route, View
from kilonova.identity.rotate_keys import KeyState, list_keys, rotate_keys
from kilonova.identity.service import Identity


class KeyView(View):
    """A key, without the key: `state` is `seals`, `settles` (seals soon) or `opens`; `wrapped`, how it lies in the database."""

    purpose: str
    created_at: datetime
    state: str
    wrapped: bool


class Keys:
    """The resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, _req: Request[None, Query]) -> list[KeyView]:
        """All of them, newest first."""
        return _views(list_keys(self._identity))

    def rotate(self, _req: Request[None, Query]) -> list[KeyView]:
        """Make a new one, wrap all anew; tokens given out stay good."""
        return _views(rotate_keys(self._identity))


def _views(states: list[KeyState]) -> list[KeyView]:
    return [
        KeyView(purpose=one.purpose, created_at=one.created_at, state=one.state, wrapped=one.wrapped) for one in states
    ]


ROUTES = (
    Route("GET", "/keys", Keys.index, policy="kilonova:keys", view=KeyView, view_key="keys"),
    Route("POST", "/keys/rotate", Keys.rotate, policy="kilonova:keys", view=KeyView, view_key="keys"),
)
POLICIES = (PolicyRule("kilonova:keys", "admin", description="List and replace the keys that tokens are sealed with"),)
