"""`kilonova host join`, against an API on a socket."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kilonova.agent.credential import FILE, Membership, read_membership
from kilonova.agent.images.remote import RemoteImages
from kilonova.cli.main import cli
from kilonova.domain.errors import Rejected
from kilonova.rpc.tls import TlsFiles
from tests import brokers
from tests.certificates import Authority
from tests.story.hosts.conftest import Fleet, listening
from tests.world.plane import IMAGE


@pytest.fixture
def url(fleet: Fleet) -> Iterator[str]:
    with listening(fleet.rim) as found:
        yield found


def join(*args: str) -> Result:
    return CliRunner().invoke(cli, ["host", "join", *args])


def test_a_host_joins_and_keeps_what_it_was_given_to_itself(fleet: Fleet, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "kilonova"
    done = join(f"{url}/identity/v3", fleet.token(), "--name", "rack-1", "--config-dir", str(folder))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "rack-1"  # the API may log to the same place here
    path = folder / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = read_membership(folder)
    assert (kept.name, kept.api_url) == ("rack-1", url)
    assert kept.bus_url == "amqp://host.rack-1:1@broker/kilonova"
    assert fleet.access.authenticate("rack-1", kept.secret, "here") == "rack-1"
    for secret in (kept.secret, kept.bus_url):
        assert secret not in done.output + repr(kept)


def test_a_token_may_come_by_standard_input(fleet: Fleet, url: str, tmp_path: Path) -> None:
    words = ["host", "join", url, "-", "--name", "rack-1", "--config-dir", str(tmp_path)]
    done = CliRunner().invoke(cli, words, input=f"{fleet.token()}\n")
    assert done.exit_code == 0, done.output


def test_joining_again_replaces_the_file(fleet: Fleet, url: str, tmp_path: Path) -> None:
    join(url, fleet.token(), "--name", "rack-1", "--config-dir", str(tmp_path))
    before = read_membership(tmp_path)
    done = join(url, fleet.token(host="rack-1"), "--name", "rack-1", "--config-dir", str(tmp_path))
    assert done.exit_code == 0
    assert read_membership(tmp_path).secret != before.secret


def test_a_refusal_says_what_why_and_what_next(fleet: Fleet, url: str, tmp_path: Path) -> None:
    done = join(url, "nonsense", "--name", "rack-1", "--config-dir", str(tmp_path))
    assert done.exit_code == 1
    assert "refused: This token does not let host rack-1 in: there is no such token" in done.stderr
    assert "kilonova host token" in done.stderr
    assert not (tmp_path / FILE).exists()


def test_a_bus_that_is_down_leaves_the_token_good(fleet: Fleet, url: str, tmp_path: Path) -> None:
    token = fleet.token()
    fleet.accounts.is_down = True
    done = join(url, token, "--name", "rack-1", "--config-dir", str(tmp_path))
    assert (done.exit_code, "the token is still good" in done.stderr) == (1, True)
    fleet.accounts.is_down = False
    assert join(url, token, "--name", "rack-1", "--config-dir", str(tmp_path)).exit_code == 0


def test_a_place_that_cannot_be_written_to_costs_no_token(fleet: Fleet, url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    token = fleet.token()
    done = join(url, token, "--name", "rack-1", "--config-dir", str(tmp_path / "file" / "below"))
    assert (done.exit_code, "Nothing was done" in done.stderr) == (1, True)
    assert join(url, token, "--name", "rack-1", "--config-dir", str(tmp_path)).exit_code == 0


def test_where_no_cloud_is_it_says_so(tmp_path: Path) -> None:
    (port,) = brokers.free_ports(1)
    done = join(f"127.0.0.1:{port}", "token", "--config-dir", str(tmp_path))
    assert (done.exit_code, "No cloud answers at http://127.0.0.1" in done.stderr) == (1, True)
    done = join("amqp://127.0.0.1", "token", "--config-dir", str(tmp_path))
    assert (done.exit_code, "is not the URL of a cloud" in done.stderr) == (2, True)


@pytest.mark.parametrize("content", [None, "", "{}", '{"name": 5}'])
def test_an_agent_that_was_not_let_in_says_what_to_do(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(Rejected) as told:
        read_membership(tmp_path)
    assert "kilonova host join" in told.value.next_step
    assert Membership(name="n", api_url="u", secret="hush", bus_url="hush").secret == "hush"


def test_an_api_with_a_certificate_of_its_own_is_trusted_by_name_only(fleet: Fleet, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca.pem")
    with listening(fleet.rim, authority.certify("127.0.0.1", tmp_path / "api.pem")) as url:
        token, folder = fleet.token(), tmp_path / "etc"
        stranger = join(url, token, "--name", "rack-1", "--config-dir", str(folder))
        assert (stranger.exit_code, "CERTIFICATE_VERIFY_FAILED" in stranger.stderr) == (1, True)
        done = join(url, token, "--name", "rack-1", "--config-dir", str(folder), "--cacert", str(authority.path))
        assert done.exit_code == 0, done.output
        images = RemoteImages(read_membership(folder), pause=lambda _s: None)
        with pytest.raises(PermissionError):  # known there, and without business with this image
            b"".join(images.read(IMAGE))
        images.close()
        junk = tmp_path / "junk"
        junk.write_text("no certificate")
        wrong = join(url, token, "--config-dir", str(folder), "--cacert", str(junk))
        assert (wrong.exit_code, "holds no certificates" in wrong.stderr) == (2, True)


def test_what_rabbitmq_is_spoken_to_with_is_kept_in_the_buss_url(fleet: Fleet, url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "rabbit ca.pem")
    own = authority.certify("127.0.0.1", tmp_path / "own.pem")
    fleet.accounts.scheme = "amqps"
    words = ("--bus-cacert", str(authority.path), "--bus-cert", str(own), "--bus-key", str(own))
    done = join(url, fleet.token(), "--name", "rack-1", "--config-dir", str(tmp_path), *words)
    assert done.exit_code == 0, done.output
    kept = read_membership(tmp_path)
    assert kept.bus_url.startswith("amqps://host.rack-1:1@broker/kilonova?")
    assert TlsFiles.of(kept.bus_url) == TlsFiles(ca_file=str(authority.path), cert_file=str(own), key_file=str(own))
    assert kept.ca_file == ""


def test_one_authority_serves_for_api_and_rabbitmq(fleet: Fleet, url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca.pem")
    fleet.accounts.scheme = "amqps"
    done = join(url, fleet.token(), "--name", "rack-1", "--config-dir", str(tmp_path), "--cacert", str(authority.path))
    assert done.exit_code == 0, done.output
    assert TlsFiles.of(read_membership(tmp_path).bus_url) == TlsFiles(ca_file=str(authority.path))


def test_a_bus_without_tls_is_given_no_files(fleet: Fleet, url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca.pem")
    words = ("--config-dir", str(tmp_path), "--bus-cacert", str(authority.path))
    assert join(url, fleet.token(), "--name", "rack-1", *words).exit_code == 0
    assert read_membership(tmp_path).bus_url == "amqp://host.rack-1:1@broker/kilonova"


def test_files_that_rabbitmq_cannot_be_spoken_to_with_cost_no_token(fleet: Fleet, url: str, tmp_path: Path) -> None:
    authority, token = Authority(tmp_path / "ca.pem"), fleet.token()
    locked = authority.certify("127.0.0.1", tmp_path / "locked.pem", password=b"secret")
    words = ("--name", "rack-1", "--config-dir", str(tmp_path / "etc"))
    done = join(url, token, *words, "--bus-cert", str(locked))
    assert (done.exit_code, "locked.pem, for TLS to RabbitMQ, holds a key that is encrypted" in done.stderr) == (
        2,
        True,
    )
    assert not (tmp_path / "etc").exists()
    assert join(url, token, *words).exit_code == 0
