"""
Images' bits from the API, for a host that has no part in the folder they are kept in.

A download that breaks off goes on where it broke off: the next request asks for the rest, and the cache that reads this checks
size and checksum of the whole. Attempts are counted anew whenever bytes came, so a long download over a bad line ends well, and
one that gets nowhere ends after ATTEMPTS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx2
import structlog

from kilonova.agent.credential import Membership, trusted
from kilonova.domain.errors import Missing

ATTEMPTS = 6
_CHUNK = 1 << 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_log = structlog.get_logger(__name__)


class RemoteImages:
    """Fills `agent.images.port.ImageSource`. `pause` waits between attempts, in seconds; `transport` is for tests."""

    def __init__(
        self,
        membership: Membership,
        *,
        pause: Callable[[float], object] = time.sleep,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._pause = pause
        self._http = httpx2.Client(
            base_url=f"{membership.api_url.rstrip('/')}/kilonova/v1/hosts/self/images/",
            auth=(membership.name, membership.secret),
            headers={"Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(30.0, connect=10.0),
            transport=transport,
            verify=trusted(membership.ca_file),
            trust_env=False,
        )

    def read(self, image_id: str) -> Iterator[bytes]:
        """The bits, in chunks. Raises Missing when there are none, OSError when they cannot be had."""
        done, failures = 0, 0
        while True:
            before = done
            try:
                for chunk in self._rest(image_id, done):
                    done += len(chunk)
                    yield chunk
                return
            except (_Passing, httpx2.TransportError) as why:
                failures = 1 if done > before else failures + 1
                if failures >= ATTEMPTS:
                    raise OSError(f"it broke off {ATTEMPTS} times ({why})") from why
                _log.warning("an image's download broke off; it goes on", image=image_id, at=done, why=str(why))
            self._pause(min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S))

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _rest(self, image_id: str, start: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._http.stream("GET", quote(image_id, safe=""), headers=headers) as answer:
            if start and answer.status_code == 416:
                return  # all of it came, and the connection broke before its end was seen
            _check(answer, image_id)
            skip = start if answer.status_code == 200 else 0  # an API behind something that knows no ranges
            for chunk in answer.iter_raw(_CHUNK):
                if len(chunk) > skip:
                    yield chunk[skip:]
                skip = max(0, skip - len(chunk))


class _Passing(Exception):
    """The API cannot answer now, and may soon."""


def _check(answer: httpx2.Response, image_id: str) -> None:
    status = answer.status_code
    if status == 404:
        raise Missing("Image", image_id)
    if status in _PASSING:
        raise _Passing(f"the API answered {status}")
    if status in (401, 403):
        raise PermissionError(f"the API refused this host ({status}): `kilonova host refusals` says why")
    if status not in (200, 206):
        raise OSError(f"the API answered {status}")
