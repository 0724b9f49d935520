"""The front door of a whole cloud: who knocks with a websocket where there is none is told so, and tokens are the cloud's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kilonova.api.framework.door import FrontDoor
from kilonova.api.framework.events import EventStream
from kilonova.api.framework.mounts import Mount
from kilonova.settings import CloudSettings
from tests.eventsource import MemoryEvents
from tests.story.hostile.attackers import attacked, head, one, rim_of
from tests.story.hostile.world import world
from tests.story.operations.test_stopping import client, process, said, settings, stopped

__all__ = ["settings"]


def test_websockets_that_lead_nowhere_are_404_and_the_api_serves_on(settings: CloudSettings) -> None:
    with process(settings) as cloud, client(settings) as admin:
        for path in ("/nowhere", "/compute/v2.1/servers", "/identity/v3", "/"):
            with pytest.raises(InvalidStatus) as told:
                connect(settings.base_url.replace("http", "ws") + path, proxy=None, open_timeout=60, legacy=True)
            assert told.value.response.status_code == 404
        assert admin.image()
        assert stopped(cloud) == 0
    assert "Traceback" not in said(settings)


def test_a_stream_is_opened_by_a_token_of_the_cloud_and_tells_its_project_alone(tmp_path: Path) -> None:
    with world(tmp_path) as cloud:
        source = MemoryEvents()
        door = FrontDoor(rim_of(cloud.cloud), [Mount("/kilonova/v1/events", "events", EventStream(source))])
        with attacked(door) as port:

            def asked(token: str) -> bytes:
                return head("GET", "/kilonova/v1/events", X_Auth_Token=token)

            assert port.ask(asked(cloud.expired)[:-2] + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 401 ")
            assert port.ask(asked(cloud.alien)[:-2] + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 401 ")
            assert port.ask(head("GET", "/kilonova/v1/health", Connection="close")).startswith(b"HTTP/1.1 200 ")
            a, b = port.connect(asked(cloud.a.token)), port.connect(asked(cloud.b.token))
            for stream in (a, b):
                one(stream, b": welcome\n\n")
            source.add("server.create", cloud.a.project_id, b'{"of":"a"}')
            source.add("server.create", cloud.b.project_id, b'{"of":"b"}')
            assert b'{"of":"b"}' not in one(a, b'{"of":"a"}')
            assert b'{"of":"a"}' not in one(b, b'{"of":"b"}')
