"""How kombu is told of a broker: by a URL alone, with TLS or without."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kilonova.domain.errors import Rejected
from kilonova.rpc.tls import TlsFiles


def address(url: str) -> dict[str, Any]:
    """
    Arguments of `kombu.Connection` for a broker's URL. Raises Rejected for certificate files that cannot be used.

    Files are named and not read in: each connection reads them anew, so certificates may be replaced while we run.
    """
    parts, files = urlsplit(url), TlsFiles.of(url)
    if parts.scheme != "amqps":
        if files != TlsFiles():
            raise Rejected(
                "The bus' URL names certificates, and is one without TLS.", next_step="Say amqps:// instead of amqp://."
            )
        return {"hostname": url}
    files.context()
    tls = {
        "server_hostname": parts.hostname,
        "ca_certs": files.ca_file or None,
        "certfile": files.cert_file or None,
        "keyfile": files.key_file or None,
    }
    return {"hostname": parts._replace(query="").geturl(), "ssl": tls}
