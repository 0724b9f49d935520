"""
Who may do what: oslo.policy's engine and rule language, under OpenStack's rule names, with an operator's `policy.yaml` on top.

Rules are declared with a role, in the words of Nova's policy reference, and merged once with the overrides; nothing is looked up
in global configuration or in well-known folders. oslo.policy walks the rule tree on each question, which costs tens of
microseconds, and a reply with detail asks dozens of questions. So the verdict of a rule that depends on nothing but the
caller's roles and on whether the thing is in his project or his own is kept under exactly those facts. A rule that looks at
anything else is walked each time.

Thread-safe: the tree is never changed after it was made, a reload makes a new one, and a lost race on the memo costs one walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from oslo_config import cfg
from oslo_policy import _checks as checks
from oslo_policy import policy as oslo

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Bug, Denied

ROLE_CHECKS: Mapping[str, str] = {
    "reader": "rule:project_reader_or_admin",
    "member": "rule:project_member_or_admin",
    "manager": "rule:project_manager_or_admin",
    "admin": "rule:context_is_admin",
    "service": "rule:service_or_admin",
    "owner_user": "(rule:context_is_admin) or user_id:%(user_id)s",
    "any": "@",
    "none": "@",
    "nobody": "!",
}
BASE_RULES: Mapping[str, str] = {
    "context_is_admin": "role:admin",
    "admin_or_owner": "is_admin:True or project_id:%(project_id)s",
    "admin_api": "is_admin:True",
    "project_manager_api": "role:manager and project_id:%(project_id)s",
    "project_member_api": "role:member and project_id:%(project_id)s",
    "project_reader_api": "role:reader and project_id:%(project_id)s",
    "service_api": "role:service",
    "project_manager_or_admin": "rule:project_manager_api or rule:context_is_admin",
    "project_member_or_admin": "rule:project_member_api or rule:context_is_admin",
    "project_reader_or_admin": "rule:project_reader_api or rule:context_is_admin",
    "service_or_admin": "rule:service_api or rule:context_is_admin",
}
_IMPLIED = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}
_PLAIN = {
    ("project_id", "%(project_id)s"),
    ("user_id", "%(user_id)s"),
    ("is_admin", "True"),
}
_MEMO = 16384


class PolicyRule(msgspec.Struct, frozen=True):
    """One rule. `role` is a key of `ROLE_CHECKS`; `check` says it in oslo.policy's language where no role does."""

    name: str
    role: str = "admin"
    check: str | None = None
    description: str = ""

    @property
    def check_str(self) -> str:
        """The rule in oslo.policy's language."""
        return ROLE_CHECKS[self.role] if self.check is None else self.check


class _Live(NamedTuple):
    """One generation of rules: the engine, which verdicts may be kept, and those kept."""

    enforcer: Any
    plain: dict[str, bool]
    memo: dict[tuple[Any, ...], bool]


class Policy:
    """
    The rules in force: `authorize` raises Denied, `can` answers.

    `target` is what the rule's `%(...)s` are read from; without one, it is a thing of the caller's own. Raises ValueError when
    made from an override file with unknown references or cycles.
    """

    def __init__(self, rules: Iterable[PolicyRule], overrides: Path | None = None) -> None:
        self._declared = dict(BASE_RULES) | {rule.name: rule.check_str for rule in rules}
        self._overrides = overrides
        self.reload()

    def reload(self) -> None:
        """Read the override file again; on a bad one, raise ValueError and keep the rules in force."""
        merged = self._declared | _read(self._overrides)
        conf = cfg.ConfigOpts()
        conf([], project="kilonova", default_config_files=[], default_config_dirs=[])
        tree = oslo.Rules.from_dict(merged)
        enforcer = oslo.Enforcer(conf, rules=tree, use_conf=False)
        try:
            enforcer.check_rules(raise_on_violation=True)
        except oslo.InvalidDefinitionError as problem:
            raise ValueError(f"{self._overrides}: {problem}") from problem
        self._live = _Live(enforcer, {name: _is_plain(check, tree) for name, check in tree.items()}, {})

    @property
    def names(self) -> frozenset[str]:
        """Every declared rule: tests hold the route tables against it."""
        return frozenset(self._declared)

    def authorize(self, ctx: RequestContext, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """Raise Denied unless `ctx` may do `rule` to `target`."""
        if not self.can(ctx, rule, target):
            raise Denied(f"Policy doesn't allow {rule} to be performed.")

    def can(self, ctx: RequestContext, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether `ctx` may do `rule` to `target`."""
        enforcer, plain, memo = self._live
        known = plain.get(rule)
        if known is None:
            raise Bug(f"policy rule {rule} is not declared")
        if not known:
            return bool(enforcer.enforce(rule, _target(ctx, target), _creds(ctx)))
        facts = (
            rule,
            ctx.roles,
            ctx.is_admin,
            _same(ctx.project_id, target, "project_id"),
            _same(ctx.user_id, target, "user_id"),
        )
        verdict = memo.get(facts)
        if verdict is None:
            verdict = bool(enforcer.enforce(rule, _target(ctx, target), _creds(ctx)))
            if len(memo) >= _MEMO:
                memo.clear()
            memo[facts] = verdict
        return verdict


def _read(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    found: Any = oslo.parse_file_contents(path.read_text(encoding="utf-8")) or {}
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in found.items()):
        raise ValueError(f"{path}: a policy file is a mapping of rule names to strings")
    return found


def effective_roles(roles: Iterable[str]) -> list[str]:
    """The roles with those they imply: admin is a manager is a member is a reader."""
    given = {role.lower() for role in roles}
    return sorted(given.union(*(_IMPLIED.get(role, ()) for role in given)))


def _same(own: str | None, target: Mapping[str, Any] | None, key: str) -> bool:
    return own is not None and (target is None or target.get(key) == own)


def _target(ctx: RequestContext, target: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without None: to oslo.policy, an absent project of an unscoped caller would equal an absent one of the thing."""
    given = {"project_id": ctx.project_id, "user_id": ctx.user_id} if target is None else dict(target)
    if given.get("project_id") is not None:
        given.setdefault("tenant_id", given["project_id"])
    return {k: v for k, v in given.items() if v is not None}


def _creds(ctx: RequestContext) -> dict[str, Any]:
    given = {
        "user_id": ctx.user_id,
        "user_domain_id": ctx.user_domain_id,
        "project_id": ctx.project_id,
        "tenant_id": ctx.project_id,
        "project_domain_id": ctx.project_domain_id,
        "domain_id": ctx.domain_id,
        "system_scope": ctx.system_scope,
        "is_admin": ctx.is_admin,
        "roles": effective_roles(ctx.roles),
    }
    return {k: v for k, v in given.items() if v is not None}


def _is_plain(check: Any, tree: Mapping[str, Any]) -> bool:
    """Whether the verdict depends only on roles, is_admin, same project and same user."""
    if isinstance(check, checks.TrueCheck | checks.FalseCheck):
        return True
    if isinstance(check, checks.AndCheck | checks.OrCheck):
        return all(_is_plain(part, tree) for part in check.rules)
    if isinstance(check, checks.NotCheck):
        return _is_plain(check.rule, tree)
    if isinstance(check, checks.RuleCheck):
        return check.match in tree and _is_plain(tree[check.match], tree)
    if isinstance(check, checks.RoleCheck):
        return "%(" not in check.match
    return isinstance(check, checks.GenericCheck) and (check.kind, check.match) in _PLAIN
