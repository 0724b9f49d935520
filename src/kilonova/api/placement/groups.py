"""
What candidates are asked for: one group of wishes without a suffix, and any number with one (`resources1`, `required_NET`).

In OpenStack groups exist for trees: each is met by one provider, several groups perhaps by several providers of one tree. Here a
host is one provider with none below it and none that others share, so one host meets all groups of a request, or none does:

- amounts of a class are added up over the groups, and the sum is held against what is free and against the largest unit, as
  Placement holds what it has merged onto one provider;
- every group's traits, aggregates and tree are wishes about that host, and so is `root_required`, as it is its own root;
- `group_policy=isolate` wants a provider for each group with a suffix, so two such groups have no candidates;
- `same_subtree` holds always. It only says which groups may do without resources.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Query, becomes, reads, rest, since, until
from kilonova.api.framework import required as must_be_sent
from kilonova.api.framework.types import Uuid, check_uuid
from kilonova.api.placement.common import (
    BadValue,
    DuplicateKey,
    MissingValue,
    Resources,
    Wanted,
    read_resources,
    with_aggregates,
    with_traits,
)  # fmt: skip
from kilonova.domain.errors import InvalidField, Rejected

_BEFORE_TREES, _ALL = "resources|required|member_of", "resources|required|member_of|in_tree"
_NUMBER, _WORD = "[1-9][0-9]*", "[a-zA-Z0-9_-]{1,64}"
_ANY_KEY = re.compile(rf"\A({_ALL})(.+)\Z")


def _keys(names: str, suffix: str) -> Callable[[dict[str, list[str]]], dict[str, list[str]]]:
    allowed = re.compile(rf"\A({names})({suffix})\Z")

    def check(sent: dict[str, list[str]]) -> dict[str, list[str]]:
        for key in sent:
            if not allowed.match(key):
                raise InvalidField(key[:255], "additional properties are not allowed")
        return sent

    return check


_Numbered = Annotated[dict[str, list[str]], reads(_keys(_BEFORE_TREES, _NUMBER))]
_NumberedInTrees = Annotated[dict[str, list[str]], reads(_keys(_ALL, _NUMBER))]
_Worded = Annotated[dict[str, list[str]], reads(_keys(_ALL, _WORD))]


class ListCandidates(Query, strict=True):
    """What is looked for; the keys with a suffix are in `suffixed`, as they were sent."""

    resources: Annotated[Maybe[Resources], must_be_sent(until("1.24"))] = UNSET
    limit: Annotated[Maybe[Annotated[int, Meta(ge=1)]], since("1.16")] = UNSET
    required: Annotated[Maybe[list[str]], since("1.17")] = UNSET
    member_of: Annotated[Maybe[list[str]], since("1.21")] = UNSET
    group_policy: Annotated[Maybe[Literal["none", "isolate"]], since("1.25")] = UNSET
    in_tree: Annotated[Maybe[Uuid], since("1.31")] = UNSET
    root_required: Annotated[Maybe[list[str]], since("1.35")] = UNSET
    same_subtree: Annotated[Maybe[list[str]], since("1.36")] = UNSET
    suffixed: Annotated[
        _Numbered, rest(), since("1.25"), becomes("1.31", _NumberedInTrees), becomes("1.33", _Worded)
    ] = msgspec.field(default_factory=dict)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider is to meet. The group without a suffix has an empty one."""

    suffix: str
    resources: dict[str, int]
    required: list[str]
    member_of: list[str]
    in_tree: str | None

    def rules(self, traits: list[str]) -> list[Wanted]:
        """The wishes beside the amounts, given all traits there are. Raises Rejected."""
        tree = self.in_tree
        found = [with_traits(self.required, traits), with_aggregates(self.member_of)]
        return found if tree is None else [*found, lambda one: one.host.id == tree]


def groups_of(sent: ListCandidates) -> list[Group]:
    """The groups of a request, the one without a suffix first. Raises Rejected where they do not fit together."""
    groups = [_group(suffix, parts) for suffix, parts in _parted(sent.suffixed).items()]
    plain = Group(
        suffix="", resources=sent.resources or {}, required=sent.required or [], member_of=sent.member_of or [],
        in_tree=sent.in_tree or None,
    )  # fmt: skip
    if plain.resources or plain.required or plain.member_of or plain.in_tree:
        groups.insert(0, plain)
    _check_resources(groups, _check_subtrees(sent, groups))
    if sent.group_policy is UNSET and _suffixed(groups) > 1:
        raise MissingValue("group_policy is needed with more than one group: none, or isolate.")
    return groups


def total_of(groups: list[Group]) -> dict[str, int]:
    """The amounts of all groups, added up by class."""
    total: Counter[str] = Counter()
    for group in groups:
        total.update(group.resources)
    return dict(total)


def rules_of(sent: ListCandidates, groups: list[Group], traits: list[str]) -> list[Wanted]:
    """What a provider must pass beside having room, given all traits there are. Raises Rejected."""
    rules = [rule for group in groups for rule in group.rules(traits)]
    if sent.root_required is not UNSET:
        rules.append(_of_root(sent.root_required, traits))
    if sent.group_policy == "isolate" and _suffixed(groups) > 1:
        rules.append(lambda _one: False)
    return rules


def _suffixed(groups: list[Group]) -> int:
    return sum(bool(group.suffix) for group in groups)


def _parted(sent: dict[str, list[str]]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for key, values in sent.items():
        match = _ANY_KEY.match(key)
        if match:
            found.setdefault(match[2], {})[match[1]] = values
    return found


def _group(suffix: str, sent: dict[str, list[str]]) -> Group:
    try:
        return Group(
            suffix=suffix,
            resources=read_resources(sent["resources"][-1]) if "resources" in sent else {},
            required=sent.get("required", []),
            member_of=sent.get("member_of", []),
            in_tree=check_uuid(sent["in_tree"][-1]) if "in_tree" in sent else None,
        )
    except ValueError as problem:
        raise Rejected(f"Invalid query string parameters: group {suffix}: {problem}") from None


def _check_subtrees(sent: ListCandidates, groups: list[Group]) -> set[str]:
    if sent.same_subtree is UNSET:
        return set()
    named = {part.strip() for text in sent.same_subtree for part in text.split(",")}
    unknown = sorted(named - {group.suffix for group in groups if group.suffix})
    if unknown:
        raise BadValue(f"same_subtree names {unknown[0][:80]!r}, which is no suffix of a group.")
    return named


def _check_resources(groups: list[Group], in_subtrees: set[str]) -> None:
    if not any(group.resources for group in groups):
        raise MissingValue("At least one of resources and resources with a suffix is needed.")
    for group in groups:
        if not group.resources and group.suffix not in in_subtrees:
            raise BadValue(
                f"The group {group.suffix!r} has no resources.",
                next_step=f"Send resources{group.suffix}; from 1.36 on a suffix that is in same_subtree may do without.",
            )


def _of_root(texts: list[str], traits: list[str]) -> Wanted:
    if len(texts) > 1:
        raise DuplicateKey("root_required may be sent once.")
    if texts[0].startswith("in:"):
        raise BadValue("root_required takes no in: prefix.")
    return with_traits(texts, traits)
