"""Making, changing and deleting security groups and their rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kilonova.domain.context import RequestContext
from kilonova.domain.network import SecurityGroup, SecurityGroupRule
from kilonova.network import quotas, rule_checks
from kilonova.network.changes import Changes
from kilonova.network.defaults import ensure_default_group, first_rules
from kilonova.network.errors import (
    InvalidInput,
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupRuleExists,
)
from kilonova.network.rule_checks import NewRule
from kilonova.network.scoping import found, owner
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import security_groups
from kilonova.store.queries.security_groups import DEFAULT


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A security group as asked for."""

    name: str = ""
    project_id: str | None = None
    description: str = ""
    stateful: bool = True
    tags: tuple[str, ...] = ()


class SecurityGroups:
    """The verbs of groups and rules. Raises the errors of `network.errors` and `rule_checks`, Missing and OverQuota."""

    def __init__(self, runtime: Runtime, changes: Changes) -> None:
        self._runtime, self._changes = runtime, changes

    def ensure_default(self, ctx: RequestContext) -> None:
        """The caller's project has its `default` group from here on."""
        if ctx.project_id is None:
            return
        with self._runtime.db.read() as tx:
            has_it = bool(security_groups.named(tx, ctx.project_id, [DEFAULT]))
        if not has_it:
            with self._runtime.db.write() as tx:
                ensure_default_group(tx, ctx.project_id, ids=self._runtime.ids, now=self._runtime.clock.now())

    def create(self, ctx: RequestContext, wanted: Sequence[NewGroup]) -> list[SecurityGroup]:
        """Make all of these groups, or none; each lets everything out and nothing in."""
        with self._runtime.db.write() as tx:
            made = [self._create(tx, ctx, one) for one in wanted]
            groups = Counter((one.project_id, "security_group") for one in made)
            rules = Counter(
                {(project_id, "security_group_rule"): 2 * count for (project_id, _), count in groups.items()}
            )
            quotas.settle(tx, groups + rules)
            return made

    def _create(self, tx: Tx, ctx: RequestContext, wanted: NewGroup) -> SecurityGroup:
        if wanted.name == DEFAULT:
            raise SecurityGroupDefaultAlreadyExists
        _check_stateful(is_stateful=wanted.stateful)
        project_id = owner(ctx, wanted.project_id)
        now = self._runtime.clock.now()
        ensure_default_group(tx, project_id, ids=self._runtime.ids, now=now)
        fields = msgspec.structs.asdict(wanted) | {
            "id": self._runtime.ids.uuid(), "project_id": project_id, "created_at": now, "updated_at": now,
        }  # fmt: skip
        group = SecurityGroup(**fields)
        security_groups.create(tx, group)
        security_groups.create_rules(tx, first_rules(group, self._runtime.ids, now))
        return group

    def update(self, ctx: RequestContext, group_id: str, changes: Mapping[str, Any]) -> SecurityGroup:
        """Write changed fields; a default group keeps its name, and no other gets it."""
        with self._runtime.db.write() as tx:
            before = found(security_groups.find(tx, ctx, group_id, lock=True), "SecurityGroup", group_id)
            if changes.get("name", before.name) != before.name and DEFAULT in (before.name, changes["name"]):
                raise SecurityGroupCannotUpdateDefault
            _check_stateful(is_stateful=changes.get("stateful", True))
            security_groups.change(tx, group_id, changes, self._runtime.clock.now())
            return found(security_groups.find(tx, ctx, group_id), "SecurityGroup", group_id)

    def delete(self, ctx: RequestContext, group_id: str) -> None:
        """Delete a group that no port is in; rules elsewhere that name it as their remote go with it."""
        with self._runtime.db.write() as tx:
            group = found(security_groups.find(tx, ctx, group_id, lock=True), "SecurityGroup", group_id)
            if security_groups.is_used(tx, group_id):
                raise SecurityGroupInUse(group_id)
            if group.name == DEFAULT:
                raise SecurityGroupCannotRemoveDefault
            # Their rules go away with this group, so they are named now and not found by it later.
            self._changes.of_rules(tx, security_groups.naming(tx, group_id))
            security_groups.delete(tx, group_id)

    def create_rules(self, ctx: RequestContext, wanted: Sequence[NewRule]) -> list[SecurityGroupRule]:
        """Add all of these rules, or none."""
        with self._runtime.db.write() as tx:
            made = [self._create_rule(tx, ctx, one) for one in wanted]
            quotas.settle(tx, Counter((one.project_id, "security_group_rule") for one in made))
            return made

    def _create_rule(self, tx: Tx, ctx: RequestContext, wanted: NewRule) -> SecurityGroupRule:
        # The lock keeps the same rule from being added twice at the same time.
        group = found(security_groups.find(tx, ctx, wanted.group_id, lock=True), "SecurityGroup", wanted.group_id)
        rule = rule_checks.checked(wanted)
        if rule.remote_group is not None:
            found(security_groups.find(tx, ctx, rule.remote_group), "SecurityGroup", rule.remote_group)
        for other in security_groups.rules_of(tx, [group.id])[group.id]:
            if rule_checks.same(rule, _as_asked(other)):
                raise SecurityGroupRuleExists(other.id)
        now = self._runtime.clock.now()
        fields = msgspec.structs.asdict(rule) | {
            "id": self._runtime.ids.uuid(), "project_id": group.project_id, "created_at": now, "updated_at": now,
        }  # fmt: skip
        made = SecurityGroupRule(**fields)
        security_groups.create_rules(tx, [made])
        self._changed(tx, group.id)
        return made

    def delete_rule(self, ctx: RequestContext, rule_id: str) -> None:
        """Delete one rule."""
        with self._runtime.db.write() as tx:
            rule = found(security_groups.find_rule(tx, ctx, rule_id), "SecurityGroupRule", rule_id)
            security_groups.delete_rule(tx, rule_id)
            self._changed(tx, rule.group_id)

    def _changed(self, tx: Tx, group_id: str) -> None:
        security_groups.change(tx, group_id, {}, self._runtime.clock.now())
        self._changes.of_rules(tx, [group_id])


def _as_asked(rule: SecurityGroupRule) -> NewRule:
    return NewRule(**{name: getattr(rule, name) for name in NewRule.__struct_fields__})


def _check_stateful(*, is_stateful: bool) -> None:
    if not is_stateful:
        raise InvalidInput("stateful", "the hosts of this cloud enforce stateful security groups alone")
