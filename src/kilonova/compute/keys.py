"""Public keys of users: reading ssh keys and x509 certificates, their fingerprints, and making new ones."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from kilonova.domain.clock import Clock
from kilonova.domain.errors import Rejected

_BITS = 2048
_CERTIFICATE_DAYS = 3650
_USER_PRINCIPAL_NAME = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new pair; the private half is shown once and kept nowhere."""

    public_key: str
    private_key: str
    fingerprint: str


def fingerprint(public_key: str, kind: str) -> str:
    """The fingerprint of a key of a kind, ssh or x509. Raises Rejected for what is none."""
    try:
        return _ssh_fingerprint(public_key) if kind == "ssh" else _x509_fingerprint(public_key)
    except (ValueError, IndexError, binascii.Error, UnsupportedAlgorithm, UnicodeError):
        what = "ssh public key" if kind == "ssh" else "x509 certificate in PEM form"
        raise Rejected(f"Keypair data is invalid: failed to generate fingerprint, this is no {what}.") from None


def generate(kind: str, user_id: str, clock: Clock) -> MadeKey:
    """Make a pair of a kind, ssh or x509."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    if kind == "ssh":
        form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        public = f"{key.public_key().public_bytes(*form).decode()} Generated-by-Kilonova"
        private_form = serialization.PrivateFormat.TraditionalOpenSSL
    else:
        public = _certificate(key, user_id, clock)
        private_form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, private_form, serialization.NoEncryption()).decode()
    return MadeKey(public_key=public, private_key=private, fingerprint=fingerprint(public, kind))


def _ssh_fingerprint(public_key: str) -> str:
    serialization.load_ssh_public_key(public_key.strip().encode())
    blob = base64.b64decode(public_key.split()[1])
    return _colons(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def _x509_fingerprint(public_key: str) -> str:
    certificate = x509.load_pem_x509_certificate(public_key.encode())
    return _colons(certificate.fingerprint(hashes.SHA1()).hex())  # noqa: S303 - what clients compare with


def _colons(text: str) -> str:
    return ":".join(text[i : i + 2] for i in range(0, len(text), 2))


def _certificate(key: rsa.RSAPrivateKey, user_id: str, clock: Clock) -> str:
    """A self-signed client certificate, as Windows guests take for remote management."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id.encode()[:64].decode(errors="ignore"))])
    now = clock.now()
    principal = user_id.encode()[:120]
    encoded = bytes([0x0C, len(principal)]) + principal  # a UTF8String in DER
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(_USER_PRINCIPAL_NAME, encoded)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
