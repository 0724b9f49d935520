"""
From method, path and version to a route: a tree of path segments, built once.

Literal segments win over `{names}`, with a way back: `/servers/detail` is not a server called detail. What does not lead
anywhere is told apart by what was known: nothing (404), the path but not the method (405, or 404 where a service prefers), or the
way but not in this version (404). An action's key is only known when the body has been read, so a match of an action path is
a group, resolved later by `pick`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from kilonova.api.framework.errors import BadMethod, NoRoute
from kilonova.api.framework.routes import Route
from kilonova.api.framework.versions import Version
from kilonova.domain.errors import KilonovaError, Rejected

_PROJECT_ID = re.compile(r"\A[0-9a-f-]{1,64}\Z")


class Node:
    """A point in the tree; `ways` has the routes that end here, by method."""

    __slots__ = ("literal", "named", "names", "ways")

    def __init__(self) -> None:
        self.literal: dict[str, Node] = {}
        self.named: Node | None = None
        self.ways: dict[str, list[Route]] = {}
        self.names: dict[str, tuple[str, ...]] = {}


class Match(NamedTuple):
    """Routes for one method, path and version: one, or the actions of a path."""

    routes: tuple[Route, ...]
    params: Mapping[str, str]
    project_id: str | None = None

    @property
    def route(self) -> Route | None:
        """The route, where no body is needed to tell."""
        first = self.routes[0]
        return None if first.action is not None else first

    def pick(self, key: str, version: Version) -> Route:
        """The action route for a body key. Raises Rejected (no such action) or NoRoute (not in this version)."""
        named = [route for route in self.routes if route.action == key]
        if not named:
            known = ", ".join(sorted({route.action for route in self.routes if route.action and not route.is_absent}))
            raise Rejected(f"There is no such action: {key[:64]}", next_step=f"Known actions are {known}.")
        found = next((route for route in named if version in route.versions), None)
        if found is None:
            raise NoRoute
        return found


class Router:
    """The compiled table. `project_in_path` allows one more segment in front: the project's id, in hexadecimal digits."""

    def __init__(self, routes: Iterable[Route], *, project_in_path: bool = False, tell_methods: bool = True) -> None:
        self._root = Node()
        self._project_in_path, self._tell_methods = project_in_path, tell_methods
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in _segments(route.path):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.named = node.named or Node()
                node = node.named
            else:
                node = node.literal.setdefault(segment, Node())
        others = node.ways.setdefault(route.method, [])
        for other in others:
            if (other.action is None) != (route.action is None):
                raise TypeError(f"{route.label} and {other.label}: a path has actions or it has none")
            if other.action == route.action and other.versions.overlaps(route.versions):
                raise TypeError(f"{route.label} is there twice in some version")
        if node.names.setdefault(route.method, tuple(names)) != tuple(names):
            raise TypeError(f"{route.label}: path parameters are named otherwise in another version")
        others.append(route)

    def match(self, method: str, path: str, version: Version) -> Match | KilonovaError:
        """The routes of this path; an error is returned, not raised, as who has no token must hear of that first."""
        segments = _segments(path)
        found = self._find(segments, method, version)
        if isinstance(found, NoRoute) and self._project_in_path and segments and _PROJECT_ID.match(segments[0]):
            inner = self._find(segments[1:], method, version)
            if isinstance(inner, Match):
                return inner._replace(project_id=segments[0])
            return inner
        return found

    def _find(self, segments: list[str], method: str, version: Version) -> Match | KilonovaError:
        node, values = _walk(self._root, segments, 0)
        if node is None:
            return NoRoute()
        spoken = method if method in node.ways or method != "HEAD" else "GET"
        ways = node.ways.get(spoken)
        if ways is None:
            return BadMethod(method, tuple(sorted(node.ways))) if self._tell_methods else NoRoute()
        params = dict(zip(node.names[spoken], values, strict=True))
        if ways[0].action is not None:
            return Match(tuple(ways), params)
        live = tuple(route for route in ways if version in route.versions)
        return Match(live, params) if live else NoRoute()


def _segments(path: str) -> list[str]:
    stripped = path.strip("/")
    return stripped.split("/") if stripped else []


def _walk(node: Node, segments: list[str], depth: int) -> tuple[Node | None, list[str]]:
    if depth == len(segments):
        return (node, []) if node.ways else (None, [])
    segment = unquote(segments[depth])
    literal = node.literal.get(segment)
    if literal is not None:
        found, values = _walk(literal, segments, depth + 1)
        if found is not None:
            return found, values
    if node.named is not None and segment:
        found, values = _walk(node.named, segments, depth + 1)
        if found is not None:
            return found, [segment, *values]
    return None, []
