from typing import Any

import msgspec
import openstack.exceptions
import pytest
import requests

from kilonova.api.framework import COMPUTE, IDENTITY, IMAGE, NETWORK, PLACEMENT, VOLUME
from kilonova.api.framework.errors import BadMethod, fail, failure_headers
from kilonova.api.framework.versions import Version, VersionOutOfRange, between
from kilonova.domain.errors import (
    Conflict,
    Denied,
    DiskFull,
    Missing,
    OverQuota,
    Rejected,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from kilonova.store.away import DatabaseFull

QUOTA = OverQuota("kites", requested=1, used=5, limit=5)


def document(error: Any, style: Any) -> Any:
    failure = fail(error, style, "req-1")
    return failure.status, style.document(failure)


def test_compute_has_one_key_that_says_the_kind() -> None:
    assert document(Rejected("No."), COMPUTE) == (400, {"badRequest": {"code": 400, "message": "No."}})
    assert document(Missing("Server", "s1"), COMPUTE)[1]["itemNotFound"]["code"] == 404
    assert document(Conflict("Busy"), COMPUTE)[1]["conflictingRequest"]["code"] == 409
    assert document(QUOTA, COMPUTE)[1]["forbidden"]["code"] == 403
    assert document(TooLarge("Big"), COMPUTE)[1]["overLimit"]["code"] == 413
    assert document(Unavailable("Later"), COMPUTE)[1]["serviceUnavailable"]["code"] == 503
    assert "computeFault" in document(VersionOutOfRange(Version(3, 0), between("2.1", "2.9")), COMPUTE)[1]


def test_a_full_disk_is_told_of_whoever_asks() -> None:
    full = DatabaseFull("database or disk is full")
    assert document(full, COMPUTE)[1]["insufficientStorage"]["code"] == 507
    assert document(full, NETWORK)[1]["NeutronError"]["type"] == "InsufficientStorage"
    assert document(DiskFull("images", kept_back=True), IMAGE)[1]["error"]["title"] == "Insufficient Storage"
    assert "keeps its records on is full" in document(full, IDENTITY)[1]["error"]["message"]


def test_other_services_have_their_own_frames() -> None:
    assert document(Missing("User", "u"), IDENTITY)[1]["error"]["title"] == "Not Found"
    assert document(Denied("No."), IMAGE)[1]["error"] == {"code": 403, "message": "No.", "title": "Forbidden"}
    assert document(QUOTA, IMAGE)[0] == 413
    assert document(QUOTA, VOLUME)[1]["overLimit"]["code"] == 413


def test_network_errors_carry_the_name_of_their_kind() -> None:
    def kind(error: Any) -> Any:
        status, body = document(error, NETWORK)
        return status, body["NeutronError"]["type"]

    assert kind(Missing("Security group", "x")) == (404, "SecurityGroupNotFound")
    assert kind(Missing("FloatingIP", "x")) == (404, "FloatingIPNotFound")
    assert kind(QUOTA) == (409, "OverQuota")
    assert kind(Conflict("Busy")) == (409, "Conflict")
    assert kind(Denied("No")) == (403, "PolicyNotAuthorized")


def test_placement_lists_its_errors() -> None:
    status, body = document(VersionOutOfRange(Version(3, 0), between("1.0", "1.39")), PLACEMENT)
    (entry,) = body["errors"]
    assert status == entry["status"] == 406
    assert (entry["min_version"], entry["max_version"], entry["request_id"]) == ("1.0", "1.39", "req-1")
    assert entry["code"] == "placement.undefined_code"


def test_the_next_step_is_a_sentence_of_its_own() -> None:
    assert fail(Conflict("It flies", next_step="Land it."), COMPUTE, "r").message == "It flies. Land it."
    assert fail(Conflict("It flies."), COMPUTE, "r").message == "It flies."


@pytest.mark.parametrize("style", [COMPUTE, VOLUME, IDENTITY, IMAGE, NETWORK, PLACEMENT])
def test_of_a_bug_only_the_request_id_is_told(style: Any) -> None:
    status, body = document(KeyError("hunter2"), style)
    text = msgspec.json.encode(body).decode()
    assert status == 500
    assert "req-1" in text
    assert "hunter2" not in text


def test_headers_say_what_to_do() -> None:
    def headers(error: Any) -> Any:
        return failure_headers(fail(error, COMPUTE, "r"), "http://h/identity")

    assert headers(Unauthenticated("Who?")) == {"WWW-Authenticate": 'Keystone uri="http://h/identity"'}
    assert headers(Unavailable("Later", retry_after_s=9)) == {"Retry-After": "9"}
    assert headers(BadMethod("PUT", ("GET", "POST"))) == {"Allow": "GET, POST"}


@pytest.mark.parametrize("style", [COMPUTE, VOLUME, IDENTITY, IMAGE, NETWORK])
def test_openstacksdk_finds_the_message(style: Any) -> None:
    """The SDK looks for a `message` one level down, whatever the key above it."""
    failure = fail(Conflict("It flies", next_step="Land it."), style, "req-1")
    reply = requests.Response()
    reply.status_code, reply.url = failure.status, "http://h/kites"
    reply.headers["Content-Type"] = "application/json"
    reply._content = msgspec.json.encode(style.document(failure))
    with pytest.raises(openstack.exceptions.ConflictException) as caught:
        openstack.exceptions.raise_from_response(reply)
    assert caught.value.details == "It flies. Land it."


def test_a_message_that_quotes_a_whole_body_is_cut() -> None:
    failure = fail(Rejected("no " * 10_000, next_step="Send less."), COMPUTE, "req-1")
    assert failure.message == f"{('no ' * 10_000)[:1000]}... Send less."
