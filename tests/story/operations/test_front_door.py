"""The front door of a cloud's own process: who knocks with a websocket where there is none is told so, and all else goes on."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kilonova.settings import CloudSettings
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
