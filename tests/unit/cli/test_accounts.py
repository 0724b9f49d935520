from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.cli.accounts import Account, find_account, login_body, read_clouds
from kilonova.cli.errors import CliError

FILE = """
clouds:
  kilonova:
    auth: {auth_url: "http://127.0.0.1:1/identity/v3", username: admin, password: secret, project_name: admin}
    region_name: RegionOne
  other:
    auth: {auth_url: "https://other:5000", token: t}
    cacert: /etc/ca.pem
    interface: internal
  broken: {}
"""


@pytest.fixture
def clouds(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "clouds.yaml"
    path.write_text(FILE)
    return {"OS_CLIENT_CONFIG_FILE": str(path), "XDG_CONFIG_HOME": str(tmp_path)}


def test_the_entry_of_this_machine_is_the_default(clouds: dict[str, str], tmp_path: Path) -> None:
    account = find_account(None, tmp_path, clouds)
    assert (account.auth_url, account.auth["username"]) == ("http://127.0.0.1:1/identity/v3", "admin")


def test_a_named_entry_wins_over_variables_and_these_over_the_default(clouds: dict[str, str], tmp_path: Path) -> None:
    env = clouds | {"OS_AUTH_URL": "http://env", "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_INSECURE": "true"}
    by_name = find_account("other", tmp_path, env)
    assert (by_name.auth_url, by_name.verify, by_name.interface) == ("https://other:5000", "/etc/ca.pem", "internal")
    by_variables = find_account(None, tmp_path, env)
    assert (by_variables.auth_url, by_variables.verify) == ("http://env", False)
    assert by_variables.auth == {"username": "u", "password": "p"}


def test_the_data_directory_has_an_entry_when_the_users_files_have_none(tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text(FILE)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "none")}
    assert find_account(None, tmp_path, env).auth["username"] == "admin"


def test_without_any_cloud_the_way_to_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(CliError) as told:
        find_account(None, tmp_path, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert told.value.next_step.startswith("kilonova up")


def test_an_unknown_entry_is_answered_with_what_is_alike(clouds: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CliError, match="Did you mean 'other'") as told:
        find_account("othre", tmp_path, clouds)
    assert told.value.exit_code == 3


def test_an_entry_without_a_url_is_refused(clouds: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CliError, match="no auth_url"):
        find_account("broken", tmp_path, clouds)


@pytest.mark.parametrize("text", ["{", "clouds: 3", "- a"])
def test_a_file_that_is_no_clouds_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    if text == "- a":
        assert read_clouds(path) == {}
    else:
        with pytest.raises(CliError, match=r"clouds\.yaml"):
            read_clouds(path)


def body(**auth: str) -> object:
    return login_body(Account(auth_url="http://x", auth=auth, source="here"))["auth"]


def test_a_password_with_a_project() -> None:
    assert body(username="u", password="p", project_name="q", user_domain_name="D") == {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": "u", "domain": {"name": "D"}, "password": "p"}},
        },
        "scope": {"project": {"name": "q", "domain": {"id": "default"}}},
    }


def test_a_token_with_a_scope() -> None:
    assert body(token="t", project_id="1") == {
        "identity": {"methods": ["token"], "token": {"id": "t"}},
        "scope": {"project": {"id": "1"}},
    }
    assert body(token="t", system_scope="all") == {
        "identity": {"methods": ["token"], "token": {"id": "t"}},
        "scope": {"system": {"all": True}},
    }


def test_an_application_credential_has_its_own_scope() -> None:
    wanted = {"methods": ["application_credential"], "application_credential": {"id": "i", "secret": "s"}}
    assert body(application_credential_id="i", application_credential_secret="s", project_id="1") == {
        "identity": wanted
    }
    by_name = {"name": "n", "secret": "s", "user": {"id": "u"}}
    assert body(application_credential_name="n", application_credential_secret="s", user_id="u") == {
        "identity": {"methods": ["application_credential"], "application_credential": by_name}
    }


def test_an_account_without_proof_is_refused_and_never_shown() -> None:
    with pytest.raises(CliError, match="neither a user with a password"):
        body(username="u")
    assert "secret" not in repr(Account(auth_url="http://x", auth={"password": "secret"}))
