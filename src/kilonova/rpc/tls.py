"""
The certificate files that RabbitMQ is spoken to with over TLS, carried by its URL.

`amqps://rabbit:5671/vhost?cacertfile=/etc/kilonova/ca.pem&certfile=…&keyfile=…`: the parameters are those of RabbitMQ's own
clients. So a URL is all that anybody needs to be given: a process by its settings, a host by what it kept when it joined,
`kilonova dead-letters` by hand; and nothing between them and the connection has to know of TLS.

The broker's certificate is always checked, against its authorities and against the host in the URL. Nothing turns that off: a
connection that is encrypted to anybody who answers is not worth its name.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from kilonova.domain.errors import Rejected

SCHEMES = ("amqps", "https")
_PARAMETERS = {"cacertfile": "ca_file", "certfile": "cert_file", "keyfile": "key_file"}


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """
    PEM files: the authorities that a certificate must be of ("": the system's), and a certificate of our own with its key, where
    the broker asks for one (`key_file` may be "" when `cert_file` holds the key too).
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @classmethod
    def of(cls, url: str) -> TlsFiles:
        """Those that a URL names. Raises Rejected for a parameter that means nothing to us."""
        said = dict(parse_qsl(urlsplit(url.partition(";")[0]).query, keep_blank_values=True))
        if unknown := sorted(said.keys() - _PARAMETERS):
            raise Rejected(
                f"The URL of RabbitMQ has parameters that mean nothing here: {', '.join(unknown)}.",
                next_step=f"It may have {', '.join(_PARAMETERS)}, each the path of a PEM file.",
            )
        return cls(**{_PARAMETERS[name]: path for name, path in said.items()})

    def put_into(self, url: str) -> str:
        """The URL with these files, if any, in the place of its own, where it is one for TLS; of several parted by `;`, each."""
        if self == TlsFiles():
            return url
        said = urlencode([(name, path) for name, field in _PARAMETERS.items() if (path := getattr(self, field))])
        parts = [urlsplit(one) for one in url.split(";")]
        return ";".join(one._replace(query=said).geturl() if one.scheme in SCHEMES else one.geturl() for one in parts)

    def context(self) -> ssl.SSLContext:
        """What checks certificates, and shows ours. Raises Rejected, which says what is wrong with which file."""
        if self.key_file and not self.cert_file:
            raise Rejected(
                f"{self.key_file} is the key of no certificate.", next_step="Name the certificate's file as well."
            )
        for path in filter(None, (self.ca_file, self.cert_file, self.key_file)):
            _check_readable(path)
        try:
            made = ssl.create_default_context(cafile=self.ca_file or None)
        except ssl.SSLError as why:
            raise _useless(self.ca_file, "holds no certificate") from why
        if self.cert_file:
            self._show(made)
        return made

    def _show(self, context: ssl.SSLContext) -> None:
        key = self.key_file or self.cert_file

        def ask_for_password() -> NoReturn:  # else it would be asked of whoever sits at the terminal
            raise _useless(key, "holds a key that is encrypted")

        try:
            context.load_cert_chain(self.cert_file, key, password=ask_for_password)
        except ssl.SSLError as why:
            if why.reason == "KEY_VALUES_MISMATCH":
                raise _useless(key, f"holds a key that is not that of the certificate in {self.cert_file}") from why
            raise _useless(self.cert_file, f"holds no certificate, or {key} no private key") from why


def _check_readable(path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as why:
        raise Rejected(
            f"The file {path}, for TLS to RabbitMQ, cannot be read: {why.strerror}.",
            next_step=f"ls -l {path}   # as the account that this runs under",
        ) from why


def _useless(path: str, why: str) -> Rejected:
    return Rejected(
        f"The file {path}, for TLS to RabbitMQ, {why}.", next_step=f"openssl x509 -in {path}   # it must be PEM"
    )
