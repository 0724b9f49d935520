"""
A small client of the API: logs in, finds services in the catalog, and says what went wrong in words.

It logs in at the first request, and once more when a request is answered with 401 (a token that expired, or a cloud whose
keys are new), then repeats that request; a second 401 is an answer. Only requests that never reached the cloud, or that the
cloud refused unread, are repeated, so nothing is done twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from kilonova.cli.accounts import Account, find_account, login_body
from kilonova.cli.errors import FAILED, NOT_FOUND, TIMED_OUT, CliError
from kilonova.cli.places import chosen_data_dir, root_option

MICROVERSION = "2.96"
_TYPES = {"volume": ("block-storage", "volumev3", "volume")}
_ROOT_PATHS = {"image": "/v2", "network": "/v2.0", "identity": "/v3"}
_NEXT_STEPS = {
    401: "check the password, or make it anew: kilonova status",
    403: "openstack limits show --absolute   # or ask an administrator",
    404: "kilonova ps",
    409: "kilonova ps   # what the server is doing now",
    503: "try again in a moment; kilonova status says how the cloud fares",
}


class ApiError(CliError):
    """The cloud refused, with this status."""

    def __init__(self, status: int, message: str, *, request_id: str = "") -> None:
        step = _NEXT_STEPS.get(status, "kilonova status" if status >= 500 else "")
        super().__init__(message, next_step=step, exit_code=NOT_FOUND if status == 404 else FAILED)
        self.status, self.request_id = status, request_id


class Unreachable(CliError):
    """Nothing answered, or not in time."""


class Client:
    """One account's way into a cloud. `transport` is for tests."""

    def __init__(
        self, account: Account, *, timeout_s: float = 60.0, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self._account = account
        self._http = httpx2.Client(
            verify=account.verify, timeout=timeout_s, transport=transport, trust_env=transport is None
        )
        self._token: dict[str, Any] | None = None
        self._secret = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, service: str, path: str, **params: Any) -> Any:
        """The body of the answer. Raises ApiError, Unreachable."""
        return self.call(service, "GET", path, params=params)

    def call(
        self, service: str, method: str, path: str, *, body: Any = None, params: Mapping[str, Any] | None = None,
        microversion: str = MICROVERSION,
    ) -> Any:  # fmt: skip
        """
        One request: `call("compute", "POST", "/servers", body={...})`; gives the decoded JSON, None if there is none.

        Raises ApiError, Unreachable.
        """
        headers = {"OpenStack-API-Version": f"compute {microversion}"} if service == "compute" else {}
        wanted = {name: value for name, value in (params or {}).items() if value is not None}
        for attempt in (1, 2):
            url = self._url(service) + path
            request = self._request(
                method, url, json=body, params=wanted, headers=headers | {"X-Auth-Token": self._secret}
            )
            answer = self._send(request)
            if answer.status_code == 401 and attempt == 1:
                self._token = None
                continue
            break
        return _decoded(answer)

    def pages(self, service: str, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All of a list, page by page."""
        following: str | None = path
        asked: dict[str, Any] = params
        while following is not None:
            body = self.get(service, following, **asked)
            yield from body[key]
            link = _next_link(body, key)
            following, asked = (path, _query(link)) if link and body[key] else (None, {})

    @property
    def project_id(self) -> str | None:
        """The project that the token is for."""
        project = self._logged_in().get("project") or {}
        return project.get("id")

    @property
    def url(self) -> str:
        """Scheme, host and port of the cloud."""
        parts = urlsplit(self._account.auth_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_admin(self) -> bool:
        """Whether the token has the role admin."""
        return any(role.get("name") == "admin" for role in self._logged_in().get("roles", ()))

    def _logged_in(self) -> dict[str, Any]:
        if self._token is None:
            auth_url = self._account.auth_url.rstrip("/")
            auth_url = auth_url if auth_url.endswith("/v3") else f"{auth_url}/v3"
            request = self._request("POST", f"{auth_url}/auth/tokens", json=login_body(self._account))
            answer = self._send(request)
            body = _decoded(answer)
            if not isinstance(body, dict) or "token" not in body or "x-subject-token" not in answer.headers:
                raise Unreachable(f"What answers at {auth_url} is not an OpenStack cloud.", next_step="kilonova status")
            self._token, self._secret = body["token"], answer.headers["x-subject-token"]
        return self._token or {}

    def _url(self, service: str) -> str:
        token = self._logged_in()
        if service == "kilonova":
            return f"{self.url}/kilonova/v1"
        for entry in token.get("catalog", ()):
            if entry["type"] in _TYPES.get(service, (service,)):
                for endpoint in entry["endpoints"]:
                    if endpoint["interface"] == self._account.interface and self._in_region(endpoint):
                        return _with_version(service, endpoint["url"].rstrip("/"))
        raise CliError(
            f"The catalog of {self._account.source} has no {service} service.", next_step="openstack catalog list"
        )

    def _in_region(self, endpoint: Mapping[str, Any]) -> bool:
        return self._account.region in (None, endpoint.get("region_id"), endpoint.get("region"))

    def _request(self, method: str, url: str, **what: Any) -> httpx2.Request:
        try:
            return self._http.build_request(method, url, **what)
        except httpx2.InvalidURL as wrong:
            raise CliError(
                f"There is nothing at {url!r}: {wrong}", next_step="kilonova ps", exit_code=NOT_FOUND
            ) from wrong

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        where = f"{request.url.scheme}://{request.url.netloc.decode()}"
        try:
            return self._http.send(request)
        except httpx2.TimeoutException as late:
            raise Unreachable(
                f"{where} did not answer in time.", next_step="kilonova status", exit_code=TIMED_OUT
            ) from late
        except httpx2.HTTPError as broken:
            raise Unreachable(f"Nothing answers at {where}: {broken}", next_step="kilonova up") from broken


def connect() -> Client:
    """A client of the cloud that the command line and the environment name."""
    return Client(find_account(root_option("cloud"), chosen_data_dir()))


def local_client(data_dir: Path) -> Client:
    """A client of the cloud in a data directory, as its administrator."""
    return Client(
        find_account("kilonova", data_dir, {"OS_CLIENT_CONFIG_FILE": str(data_dir / "clouds.yaml")}), timeout_s=20.0
    )


def _with_version(service: str, url: str) -> str:
    root = _ROOT_PATHS.get(service, "")
    return url if re.search(r"/v\d[\d.]*(/|$)", urlsplit(url).path) else url + root


def _decoded(answer: httpx2.Response) -> Any:
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
    if answer.is_success:
        return body
    message = _message(body) or f"{answer.status_code} {answer.reason_phrase}"
    raise ApiError(answer.status_code, message, request_id=answer.headers.get("x-openstack-request-id", ""))


def _message(body: Any) -> str:
    """The message inside any service's error document."""
    if not isinstance(body, dict):
        return ""
    for inner in (body, *body.values()):
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return str(inner["message"])
    return ""


def _next_link(body: dict[str, Any], key: str) -> str | None:
    if isinstance(body.get("next"), str):
        return str(body["next"])
    links = body.get(f"{key}_links") or []
    return next((str(link["href"]) for link in links if link.get("rel") == "next"), None)


def _query(link: str) -> dict[str, Any]:
    return dict(httpx2.URL(link).params)
