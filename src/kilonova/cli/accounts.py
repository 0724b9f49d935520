"""
Who the command line speaks for: an entry of a clouds.yaml, or the OS_* variables, as every OpenStack client reads them.

Pure but for reading files. `--cloud` (or OS_CLOUD) names an entry; else OS_AUTH_URL and its company are the account; else it is
the cloud of this machine: the entry `kilonova` of the first clouds.yaml that has one, the last of them being the one in the
cloud's data directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kilonova.cli.errors import NOT_FOUND, USAGE, CliError, did_you_mean

LOCAL = "kilonova"
_VARIABLES = (
    "username", "user_id", "password", "token", "project_name", "project_id", "domain_name", "domain_id", "user_domain_name",
    "user_domain_id", "project_domain_name", "project_domain_id", "system_scope", "application_credential_id",
    "application_credential_name", "application_credential_secret",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Account:
    """`auth` has the keys of a clouds.yaml's `auth`. `source` says where it was found. Never printed: it holds secrets."""

    auth_url: str
    auth: Mapping[str, str] = field(repr=False)
    region: str | None = None
    interface: str = "public"
    verify: bool | str = True
    source: str = ""


def find_account(name: str | None, data_dir: Path, env: Mapping[str, str] = os.environ) -> Account:
    """The account to use. Raises CliError, which says what to do to have one."""
    files = [path for path in (*_clouds_files(env), data_dir / "clouds.yaml") if _readable(path)]
    if name is None and env.get("OS_AUTH_URL"):
        return from_variables(env)
    wanted = name or LOCAL
    known: list[str] = []
    for path in files:
        clouds = read_clouds(path)
        if wanted in clouds:
            return from_entry(wanted, clouds[wanted], source=str(path))
        known += clouds
    if name is None:
        raise CliError(
            "There is no cloud to talk to.", next_step="kilonova up   # or: --cloud NAME, or set OS_AUTH_URL"
        )
    raise CliError(
        f"No clouds.yaml has an entry {name!r}.{did_you_mean(name, known)}",
        next_step="kilonova up   # makes the entries kilonova and kilonova-demo",
        exit_code=NOT_FOUND,
    )


def from_variables(env: Mapping[str, str]) -> Account:
    """What the OS_* variables say."""
    auth = {name: value for name in _VARIABLES if (value := env.get(f"OS_{name.upper()}"))}
    verify: bool | str = env.get("OS_CACERT") or env.get("OS_INSECURE", "").lower() not in ("1", "true", "yes")
    return Account(
        auth_url=env["OS_AUTH_URL"], auth=auth, region=env.get("OS_REGION_NAME"), verify=verify,
        interface=env.get("OS_INTERFACE", "public"), source="the OS_* variables",
    )  # fmt: skip


def from_entry(name: str, entry: Any, *, source: str) -> Account:
    """What an entry of a clouds.yaml says. Raises CliError when it says too little."""
    auth = entry.get("auth") if isinstance(entry, dict) else None
    if not isinstance(auth, dict) or not auth.get("auth_url"):
        raise CliError(f"The entry {name!r} of {source} has no auth_url under auth.", exit_code=USAGE)
    texts = {key: str(value) for key, value in auth.items() if value is not None and key != "auth_url"}
    verify = entry.get("cacert") or entry.get("verify", True)
    return Account(
        auth_url=str(auth["auth_url"]), auth=texts, region=entry.get("region_name"), verify=verify,
        interface=str(entry.get("interface", "public")), source=f"entry {name!r} of {source}",
    )  # fmt: skip


def read_clouds(path: Path) -> dict[str, Any]:
    """The entries of a clouds.yaml by name; none if there is no such file. Raises CliError when it is no such thing."""
    import yaml  # noqa: PLC0415 - slow to import

    try:
        loaded = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as wrong:
        raise CliError(
            f"{path} cannot be read: {str(wrong).splitlines()[0]}", next_step=f"Mend or move {path}"
        ) from wrong
    clouds = loaded.get("clouds") if isinstance(loaded, dict) else None
    if loaded is not None and not isinstance(clouds or {}, dict):
        raise CliError(f"{path} has no mapping called clouds.", next_step=f"Mend or move {path}")
    return dict(clouds or {})


def user_clouds_file(env: Mapping[str, str] = os.environ) -> Path:
    """The clouds.yaml that is the user's own to change."""
    named = env.get("OS_CLIENT_CONFIG_FILE")
    config = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(named) if named else config / "openstack" / "clouds.yaml"


def login_body(account: Account) -> dict[str, Any]:
    """What to send to `/v3/auth/tokens`. Raises CliError when the account says too little."""
    auth = account.auth
    if auth.get("application_credential_secret"):
        credential: dict[str, Any] = {"secret": auth["application_credential_secret"]}
        if auth.get("application_credential_id"):
            credential["id"] = auth["application_credential_id"]
        else:
            credential |= {"name": auth.get("application_credential_name"), "user": _user(auth)}
        return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}
    if auth.get("token"):
        identity: dict[str, Any] = {"methods": ["token"], "token": {"id": auth["token"]}}
    elif auth.get("password") and (auth.get("username") or auth.get("user_id")):
        identity = {"methods": ["password"], "password": {"user": _user(auth) | {"password": auth["password"]}}}
    else:
        raise CliError(
            f"{account.source} has neither a user with a password, nor a token, nor an application credential.",
            next_step="export OS_USERNAME=… OS_PASSWORD=… OS_PROJECT_NAME=…",
            exit_code=USAGE,
        )
    scope = _scope(auth)
    return {"auth": {"identity": identity} | ({"scope": scope} if scope else {})}


def _user(auth: Mapping[str, str]) -> dict[str, Any]:
    if auth.get("user_id"):
        return {"id": auth["user_id"]}
    return {"name": auth.get("username"), "domain": _domain(auth, "user_domain")}


def _scope(auth: Mapping[str, str]) -> dict[str, Any] | None:
    if auth.get("project_id"):
        return {"project": {"id": auth["project_id"]}}
    if auth.get("project_name"):
        return {"project": {"name": auth["project_name"], "domain": _domain(auth, "project_domain")}}
    if auth.get("system_scope"):
        return {"system": {"all": True}}
    if auth.get("domain_id") or auth.get("domain_name"):
        return {"domain": _domain(auth, "domain")}
    return None


def _domain(auth: Mapping[str, str], prefix: str) -> dict[str, str]:
    if auth.get(f"{prefix}_id"):
        return {"id": auth[f"{prefix}_id"]}
    return {"name": auth[f"{prefix}_name"]} if auth.get(f"{prefix}_name") else {"id": "default"}


def _clouds_files(env: Mapping[str, str]) -> list[Path]:
    named = [Path(env["OS_CLIENT_CONFIG_FILE"])] if env.get("OS_CLIENT_CONFIG_FILE") else []
    config = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [*named, Path("clouds.yaml"), config / "openstack" / "clouds.yaml", Path("/etc/openstack/clouds.yaml")]


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()
