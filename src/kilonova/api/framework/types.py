"""
Wire types that OpenStack's services share, to be used as field types: `admin_state_up: Flag`, `cidr: Cidr`.

Each reads what clients were always allowed to send, and says in words what is wrong otherwise.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from msgspec import Meta, to_builtins

from kilonova.api.framework.schema import reads
from kilonova.domain.addresses import ip_address, ip_network

_TRUE = {"true", "1", "on", "yes"}
_FALSE = {"false", "0", "off", "no"}
_DIGITS = re.compile(r"\A-?[0-9]{1,19}\Z")
_MAC = re.compile(r"\A[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z")
_HOSTNAME = re.compile(r"\A[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_METADATA_KEY = re.compile(r"\A[a-zA-Z0-9-_:. ]{1,255}\Z")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_flag(value: Any) -> bool:
    """True and false as JSON, or as Nova's words for them in any usual case."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{_shown(value)} is not a boolean: send true or false")


def read_int(value: Any) -> int:
    """An integer, or one written as a string of digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.match(value):
        return int(value)
    raise ValueError(f"{_shown(value)} is not an integer")


def check_uuid(value: str) -> str:
    """A UUID in any of the forms clients use: with or without hyphens, in either case."""
    try:
        plain = str(uuid.UUID(value)).replace("-", "")
    except ValueError:
        plain = ""
    if not plain or value.lower().replace("-", "") != plain:
        raise ValueError(f"{_shown(value)} is not a 'uuid'")
    return value


def check_name(value: str) -> str:
    """Printable, and no blanks at either end."""
    if value != value.strip():
        raise ValueError(f"{_shown(value)} has leading or trailing whitespace")
    return check_printable(value)


def check_printable(value: str) -> str:
    """No control, surrogate or unassigned characters."""
    if any(unicodedata.category(ch) in {"Cc", "Cs", "Cn", "Zl", "Zp"} for ch in value):
        raise ValueError(f"{_shown(value)} has characters that cannot be printed")
    return value


def read_base64(value: str) -> bytes:
    """Base64 with the usual alphabet, line breaks allowed; gives the bytes."""
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is not base64") from None


def check_base64(value: str) -> str:
    """As `read_base64`, but keeps the text."""
    read_base64(value)
    return value


def _address(value: str, version: int | None) -> str:
    try:
        found = ip_address(value)
    except ValueError:
        found = None
    if found is None or (version is not None and found.version != version):
        raise ValueError(f"{_shown(value)} is not an {'IP' if version is None else f'IPv{version}'} address")
    return value


def check_ip(value: str) -> str:
    """An IPv4 or IPv6 address, without a prefix length."""
    return _address(value, None)


def check_ipv4(value: str) -> str:
    """An IPv4 address."""
    return _address(value, 4)


def check_ipv6(value: str) -> str:
    """An IPv6 address."""
    return _address(value, 6)


def check_cidr(value: str) -> str:
    """A network in CIDR form; host bits may be set, as Neutron normalises them."""
    try:
        ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{_shown(value)} is not a valid CIDR") from None
    if "/" not in value:
        raise ValueError(f"{_shown(value)} is not a valid CIDR: it has no prefix length")
    return value


def check_mac(value: str) -> str:
    """A unicast MAC address in colon form; given back in lower case."""
    if not _MAC.match(value) or int(value[:2], 16) & 1:
        raise ValueError(f"{_shown(value)} is not a valid MAC address")
    return value.lower()


def check_hostname(value: str) -> str:
    """A host's name as Nova's `hostname` format has it."""
    if not _HOSTNAME.match(value):
        raise ValueError(f"{_shown(value)} is not a host name")
    return value


def check_metadata_key(value: str) -> str:
    """Letters, digits and ``-_:. ``, 1 to 255 of them."""
    if not _METADATA_KEY.match(value):
        raise ValueError(f"{_shown(value)} is not a key: use 1 to 255 letters, digits, '-', '_', ':', '.' and spaces")
    return value


def check_url(value: str) -> str:
    """An absolute URL with a host."""
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc:
        raise ValueError(f"{_shown(value)} is not a URL")
    return value


def read_time(value: str) -> datetime:
    """An ISO 8601 time, aware; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: year 1 somewhere is year 0 in UTC
        raise ValueError(f"{_shown(value)} is not an ISO 8601 date and time") from None


def iso_z(moment: datetime | None) -> str | None:
    """`2024-05-01T12:00:00Z`: how Nova and Glance write most times; None stays None."""
    return None if moment is None else f"{_iso(moment)[:19]}Z"


def iso_us(moment: datetime | None) -> str | None:
    """`2024-05-01T12:00:00.000000`: how Nova and Cinder write the others; None stays None."""
    return None if moment is None else f"{_iso(moment)[:-1]}{'' if moment.microsecond else '.000000'}"


def _iso(moment: datetime) -> str:
    """In UTC, with microseconds where there are any: msgspec writes it ten times as fast as `isoformat`, and lists are long."""
    return cast("str", to_builtins(moment.astimezone(UTC)))


Flag = Annotated[bool, reads(read_flag, bool | int | str)]
IntLike = Annotated[int, reads(read_int, int | str)]
Name = Annotated[str, Meta(min_length=1, max_length=255), reads(check_name)]
Description = Annotated[str, Meta(max_length=1024)]
Text255 = Annotated[str, Meta(max_length=255), reads(check_printable)]
Uuid = Annotated[str, reads(check_uuid)]
Base64Text = Annotated[str, reads(check_base64)]
IPAddress = Annotated[str, reads(check_ip)]
IPv4 = Annotated[str, reads(check_ipv4)]
IPv6 = Annotated[str, reads(check_ipv6)]
Cidr = Annotated[str, reads(check_cidr)]
Mac = Annotated[str, reads(check_mac)]
HostName = Annotated[str, Meta(min_length=1, max_length=255), reads(check_hostname)]
Timestamp = Annotated[datetime, reads(read_time, str)]
MetadataKey = Annotated[str, reads(check_metadata_key)]
Metadata = dict[MetadataKey, Annotated[str, Meta(max_length=255)]]
