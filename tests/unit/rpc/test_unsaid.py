"""What is shown of a message: nothing that is its guest's secret."""

from __future__ import annotations

import json
from typing import get_type_hints

from kilonova.domain.machine import GuestData
from kilonova.rpc.amqp.unsaid import GUEST_SECRETS, HIDDEN, without_secrets


def test_secrets_are_left_out_wherever_they_are_and_the_rest_stays() -> None:
    guest = {"name": "web", "admin_pass": "hunter2", "user_data": "aHVudGVyMg==", "files": {"/etc/key": "aHVudGVyMg=="}}
    shown = without_secrets(json.dumps({"type": "EnsureServer", "spec": {"guest": guest, "disks": [{"guest": guest}]}}))
    hidden = {"name": "web", "admin_pass": HIDDEN, "user_data": HIDDEN, "files": HIDDEN}
    assert json.loads(shown) == {"type": "EnsureServer", "spec": {"guest": hidden, "disks": [{"guest": hidden}]}}


def test_what_there_is_none_of_is_said_to_be_none() -> None:
    assert without_secrets('{"admin_pass":null,"files":{}}') == '{"admin_pass":null,"files":{}}'


def test_what_is_no_json_is_shown_unless_it_names_a_secret() -> None:
    assert without_secrets("no JSON") == "no JSON"
    assert without_secrets('{"admin_pass": "hunter2') == HIDDEN


def test_the_names_are_those_of_guest_data() -> None:
    assert set(GUEST_SECRETS) <= set(get_type_hints(GuestData))
