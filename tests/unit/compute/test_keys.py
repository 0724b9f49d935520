import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_public_key

from kilonova.compute.keys import fingerprint, generate
from kilonova.domain.clock import SystemClock
from kilonova.domain.errors import Rejected
from tests import facts

NO_KEYS = [
    "",
    "ssh-rsa",
    "ssh-rsa AAAA",
    "ssh-rsa !!! me",
    "ssh-foo AAAAB3NzaC1yc2E",
    "\ud800",
    "-----BEGIN CERTIFICATE-----",
]


@pytest.mark.parametrize("version", ["v2.2", "v2.10", "v2.92"])
def test_a_fingerprint_is_the_one_everybody_computes(version: str) -> None:
    pair = facts.sample("compute", f"os-keypairs/{version}/keypairs-import-post-resp.json")["keypair"]
    assert fingerprint(pair["public_key"], "ssh") == pair["fingerprint"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-rsa",
        "ssh-rsa AAAA",
        "ssh-rsa !!! me",
        "ssh-foo AAAAB3NzaC1yc2E",
        "\ud800",
        "-----BEGIN CERTIFICATE-----",
    ],
)
@pytest.mark.parametrize("kind", ["ssh", "x509"])
def test_what_is_no_key_is_refused(text: str, kind: str) -> None:
    with pytest.raises(Rejected, match="failed to generate fingerprint"):
        fingerprint(text, kind)


@pytest.mark.parametrize("kind", ["ssh", "x509"])
def test_a_made_pair_belongs_together(kind: str) -> None:
    made = generate(kind, "user-é" * 40, SystemClock())
    private = load_pem_private_key(made.private_key.encode(), None)
    if kind == "ssh":
        assert load_ssh_public_key(made.public_key.encode()).public_numbers() == private.public_key().public_numbers()  # type: ignore[union-attr]
        assert made.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert made.fingerprint == fingerprint(made.public_key, kind)
    assert len(made.fingerprint.split(":")) == (16 if kind == "ssh" else 20)
