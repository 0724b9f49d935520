"""Certificate files in URLs of RabbitMQ: what they say, and what is said of those that cannot be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kilonova.domain.errors import Rejected
from kilonova.rpc.amqp import AmqpBus
from kilonova.rpc.amqp.address import address
from kilonova.rpc.amqp.deadletters import DeadLetters
from kilonova.rpc.tls import TlsFiles
from tests.certificates import Authority

PLAIN = "amqp://user:secret@rabbit/vhost"
URL = "amqps://user:secret@rabbit/vhost"


def test_a_url_carries_files_whatever_they_are_called() -> None:
    files = TlsFiles(ca_file="/a b/c;a&d=?.pem", cert_file="/own.pem", key_file="/ü.key")
    assert TlsFiles.of(files.put_into(URL)) == files
    assert TlsFiles.of(files.put_into(files.put_into(URL))) == files
    assert TlsFiles.of(URL) == TlsFiles()


def test_every_broker_of_a_cluster_with_tls_is_told_of_them() -> None:
    files = TlsFiles(ca_file="/ca.pem")
    told = files.put_into(f"{URL};{PLAIN};amqps://other:5671/vhost").split(";")
    assert told == [f"{URL}?cacertfile=%2Fca.pem", PLAIN, "amqps://other:5671/vhost?cacertfile=%2Fca.pem"]


def test_a_url_keeps_its_own_where_there_are_none_to_put_in() -> None:
    assert TlsFiles().put_into(f"{URL}?cacertfile=/mine") == f"{URL}?cacertfile=/mine"
    assert TlsFiles().put_into("") == ""


@pytest.mark.parametrize("parameter", ["verify=verify_none", "cacertfil=/ca.pem", "heartbeat="])
def test_a_parameter_that_means_nothing_is_refused_without_showing_the_url(parameter: str) -> None:
    with pytest.raises(Rejected, match=parameter.partition("=")[0]) as refused:
        AmqpBus(f"{URL}?{parameter}")
    assert "cacertfile" in refused.value.next_step
    assert "secret" not in f"{refused.value}{refused.value.next_step}"


def test_certificates_without_tls_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca.pem")
    with pytest.raises(Rejected, match="without TLS") as refused:
        AmqpBus(f"{PLAIN}?cacertfile={authority.path}")
    assert "amqps://" in refused.value.next_step


def test_a_broker_is_always_checked_and_by_its_name(tmp_path: Path) -> None:
    for files in (TlsFiles(), TlsFiles(ca_file=str(Authority(tmp_path / "ca.pem").path))):
        made = files.context()
        assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
        said = address(files.put_into(URL))
        assert said["hostname"] == URL
        assert (said["ssl"]["server_hostname"], said["ssl"]["ca_certs"]) == ("rabbit", files.ca_file or None)
    assert address(PLAIN) == {"hostname": PLAIN}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ca_file": "none"}, "none.pem, for TLS to RabbitMQ, cannot be read: No such file"),
        ({"ca_file": "junk"}, "junk.pem, for TLS to RabbitMQ, holds no certificate"),
        ({"ca_file": "ca", "cert_file": "none"}, "none.pem, .* cannot be read"),
        ({"cert_file": "junk"}, "junk.pem, .* holds no certificate, or .*junk.pem no private key"),
        ({"cert_file": "own", "key_file": "none"}, "none.pem, .* cannot be read"),
        ({"cert_file": "ca"}, "ca.pem, .* holds no certificate, or .*ca.pem no private key"),
        ({"cert_file": "own", "key_file": "other"}, "other.pem, .* is not that of the certificate in .*own.pem"),
        ({"cert_file": "locked"}, "locked.pem, .* holds a key that is encrypted"),
        ({"key_file": "own"}, "own.pem is the key of no certificate"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(
    said: dict[str, str], words: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca.pem")
    for name in ("own", "other"):
        authority.certify("127.0.0.1", tmp_path / f"{name}.pem")
    authority.certify("127.0.0.1", tmp_path / "locked.pem", password=b"hush")
    (tmp_path / "junk.pem").write_text("junk")
    files = TlsFiles(**{field: str(tmp_path / f"{name}.pem") for field, name in said.items()})
    for use in (files.context, lambda: AmqpBus(files.put_into(URL)), lambda: DeadLetters(files.put_into(URL))):
        with pytest.raises(Rejected, match=words) as refused:
            use()
        assert refused.value.next_step
        assert "secret" not in f"{refused.value}{refused.value.next_step}"
