"""An authority for tests, and what it certifies: PEM files that are good for an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)
Key = ec.EllipticCurvePrivateKey


class Authority:
    """Its own certificate is in `path`; its key is nowhere."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), _name("an authority of tests")
        itself = _certificate(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        path.write_bytes(self._signed(itself))

    def certify(self, address: str, path: Path, password: bytes | None = None) -> Path:
        """A key and a certificate for an IP address, in one file; with a password, the key is encrypted."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(_name(f"test {path.stem}"), key).add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
        path.write_bytes(secret + self._signed(made))
        return path

    def _signed(self, made: x509.CertificateBuilder) -> bytes:
        return made.issuer_name(self._name).sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(name: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
    )
