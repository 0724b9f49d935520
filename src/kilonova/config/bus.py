"""How a process reaches the bus: the section `[bus]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from kilonova.config.secret import Secret
from kilonova.config.section import Section
from kilonova.rpc.tls import SCHEMES, TlsFiles


class BusSection(Section, frozen=True, kw_only=True):
    """The messages between processes: RabbitMQ 3.10 or newer."""

    url: Annotated[
        Secret,
        Meta(
            description="amqp://USER:PASSWORD@HOST:PORT/VHOST; amqps:// for TLS, whose port is 5671. Several brokers of one"
            " cluster, parted by a semicolon, are tried in turn.",
            examples=["amqp://kilonova:change-me@127.0.0.1:5672/kilonova"],
        ),
    ]
    management_url: Annotated[
        Secret,
        Meta(
            description="http://USER:PASSWORD@HOST:15672 (or https://) of RabbitMQ's management plugin, with an administrator's"
            " account: how an API gives a host that joins a user of its own. Empty: no host can join."
        ),
    ] = Secret("")
    url_for_hosts: Annotated[
        str,
        Meta(
            description="The bus as hosts reach it, without a user, if that is another way than ours: amqp://HOST:PORT/VHOST,"
            " or amqps://"
        ),
    ] = ""
    ca_file: Annotated[
        str,
        Meta(
            description="With amqps:// and https://: PEM file of the authorities that RabbitMQ's certificate must be of; empty:"
            " those of the system. It is always checked, and must be for the HOST of the URL."
        ),
    ] = ""
    cert_file: Annotated[
        str, Meta(description="PEM file of a certificate of our own, where RabbitMQ asks its clients for one.")
    ] = ""
    key_file: Annotated[str, Meta(description="Its private key, not encrypted; empty: it is in cert_file, too.")] = ""

    def __post_init__(self) -> None:
        """Put the files into the URLs that they are for: whoever is given one of these has all that it takes."""
        files = TlsFiles(ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)
        urls = {key: getattr(self, key).reveal() for key in ("url", "management_url")}
        if files != TlsFiles() and not any(url.startswith(SCHEMES) for url in urls.values()):
            raise ValueError("there are certificate files, and neither url is amqps:// nor management_url https://")
        for key, url in urls.items():
            msgspec.structs.force_setattr(self, key, Secret(files.put_into(url)))

    def check_files(self) -> None:
        """Raise Rejected when a certificate file cannot be used by this account on this machine."""
        for url in (self.url.reveal(), self.management_url.reveal()):
            TlsFiles.of(url).context()
