from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.config.fleet import FleetConfig
from kilonova.config.load import SECTIONS, BadConfig, load_config
from kilonova.config.secret import Secret, without_password
from kilonova.config.sections import AgentConfig
from kilonova.domain.errors import Rejected
from kilonova.rpc.tls import TlsFiles

SECRET = "hush-hush"
LEAST = f"""
[database]
url = "postgresql://kilonova:{SECRET}@db/kilonova"
[bus]
url = "amqp://kilonova:{SECRET}@rabbit/"
"""


def load(folder: Path, text: str = "", **env: str) -> FleetConfig:
    path = folder / "kilonova.toml"
    path.write_text(LEAST + text)
    return load_config(FleetConfig, path, env)


def test_what_is_not_said_is_as_the_types_say(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.api.port == 8774
    assert config.database.url.reveal().endswith("@db/kilonova")


def test_the_environment_wins_and_is_read_by_the_type_of_its_key(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "[api]\nport = 1\n",
        KILONOVA_API_PORT="9000",
        KILONOVA_API_HOST="0",
        KILONOVA_SCHEDULER_ENABLED_FILTERS='["ComputeFilter"]',
        KILONOVA_HOST_DEFAULTS_CPU_RATIO="2.5",
        KILONOVA_DEBUG="1",
    )
    assert (config.api.port, config.api.host) == (9000, "0")
    assert config.scheduler.enabled_filters == ("ComputeFilter",)
    assert config.host_defaults.cpu_ratio == 2.5


def test_a_secret_may_be_in_a_file_named_by_the_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("amqp://from-a-file\n")
    path = tmp_path / "kilonova.toml"
    path.write_text(f'[database]\nurl = "x"\n[bus]\nurl_file = "{tmp_path / "url"}"\n')
    assert load_config(FleetConfig, path, {}).bus.url == Secret("amqp://from-a-file")
    found = load(tmp_path, KILONOVA_BUS_URL_FILE=str(tmp_path / "url"))
    assert found.bus.url == Secret("amqp://from-a-file")


def test_the_buss_urls_carry_the_files_that_tls_takes(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        'management_url = "https://admin:x@rabbit:15671"\nurl_for_hosts = "amqps://rabbit/v"\nca_file = "/ca.pem"\n',
        KILONOVA_BUS_URL="amqps://kilonova:x@rabbit/v;amqps://kilonova:x@other/v",
        KILONOVA_BUS_CERT_FILE="/own.pem",
    ).bus
    files = TlsFiles(ca_file="/ca.pem", cert_file="/own.pem")
    assert [TlsFiles.of(url) for url in config.url.reveal().split(";")] == [files, files]
    assert TlsFiles.of(config.management_url.reveal()) == files
    assert config.url_for_hosts == "amqps://rabbit/v"  # those of hosts are theirs
    assert load(tmp_path).bus.url.reveal() == f"amqp://kilonova:{SECRET}@rabbit/"


def test_management_may_have_tls_alone(tmp_path: Path) -> None:
    bus = load(tmp_path, 'management_url = "https://rabbit"\nca_file = "/ca.pem"\n').bus
    assert bus.url.reveal() == f"amqp://kilonova:{SECRET}@rabbit/"
    assert bus.management_url.reveal() == "https://rabbit?cacertfile=%2Fca.pem"


def test_a_file_that_cannot_be_used_is_no_fault_of_the_settings_form_and_found_when_asked(tmp_path: Path) -> None:
    bus = load(tmp_path, f'ca_file = "{tmp_path / "none.pem"}"\n', KILONOVA_BUS_URL="amqps://rabbit/").bus
    with pytest.raises(Rejected, match=r"none\.pem, for TLS to RabbitMQ, cannot be read: No such file"):
        bus.check_files()
    load(tmp_path).bus.check_files()


def test_an_agent_needs_no_database(tmp_path: Path) -> None:
    path = tmp_path / "kilonova.toml"
    path.write_text('[bus]\nurl = "amqp://host"\n[agent]\nhosts = 3\n')
    assert load_config(AgentConfig, path, {}).agent.hosts == 3


@pytest.mark.parametrize(
    ("text", "env", "words"),
    [
        ("[api]\nport = 70000\n", {}, ["[api] port", "<= 65535", "kilonova.toml"]),
        ("[api]\nprot = 1\n", {}, ["[api] prot", "no such key", "did you mean port?"]),
        ("[apy]\n", {}, ["[apy]", "no section", "did you mean api?"]),
        ("[api]\nport = 'many'\n", {}, ["[api] port", "expected `int`"]),
        ("[scheduler]\nenabled_filters = [1]\n", {}, ["[scheduler] enabled_filters[0]", "expected `str`"]),
        ("[scheduler]\nprofile = 'heaping'\n", {}, ["[scheduler] profile", "'heaping'"]),
        ("", {"KILONOVA_API_PORT": "0x"}, ["KILONOVA_API_PORT", "[api] port", "expected `int`"]),
        ("", {"KILONOVA_API_PROT": "1"}, ["KILONOVA_API_PROT", "did you mean port?"]),
        (
            "",
            {"KILONOVA_BUS_URL_FILE": "/nowhere/at/all"},
            ["KILONOVA_BUS_URL_FILE", "/nowhere/at/all", "No such file"],
        ),
        ("ca_file = '/ca.pem'\n", {}, ["[bus]", "certificate files", "amqps://"]),
        ("[api]\nstop_s = 30\n", {}, ["[api]", "stop_s (30)", "drain_s (30)"]),
        ("[api]\nport 1\n", {}, ["kilonova.toml is not TOML", "line 7"]),
    ],
)
def test_an_error_says_where_and_what(tmp_path: Path, text: str, env: dict[str, str], words: list[str]) -> None:
    with pytest.raises(BadConfig) as raised:
        load(tmp_path, text, **env)
    said = f"{raised.value.message} {raised.value.next_step}"
    assert [word for word in words if word not in said] == [], said
    assert raised.value.next_step
    assert SECRET not in said


def test_what_is_missing_is_named_with_both_ways_to_give_it(tmp_path: Path) -> None:
    path = tmp_path / "kilonova.toml"
    path.write_text('[bus]\nurl = "amqp://host"\n[database]\n')
    with pytest.raises(BadConfig, match=r"\[database\] url: it is missing, and KILONOVA_DATABASE_URL is not set"):
        load_config(FleetConfig, path, {})
    with pytest.raises(BadConfig, match="There is no file"):
        load_config(FleetConfig, tmp_path / "other.toml", {})


def test_a_host_that_has_joined_needs_no_file(tmp_path: Path) -> None:
    config = load_config(AgentConfig, tmp_path / "none.toml", {"KILONOVA_AGENT_HOSTS": "7"}, may_lack=True)
    assert (config.bus, config.agent.hosts) == (None, 7)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kilonova.toml"
    path.write_text('[bus]\nurl = "a"\nurl_file = "b"\n[database]\nurl = "c"\n')
    with pytest.raises(BadConfig, match="both url and url_file"):
        load_config(FleetConfig, path, {})


def test_secrets_are_shown_to_nobody(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert SECRET not in repr(config)
    assert without_password(config.bus.url.reveal()) == "amqp://kilonova:***@rabbit/"


def test_the_sections_known_are_those_there_are() -> None:
    assert set(FleetConfig.__struct_fields__) == set(SECTIONS) >= set(AgentConfig.__struct_fields__)
