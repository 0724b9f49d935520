"""Somebody who reads the logs, after all the others were there."""

from __future__ import annotations

import base64

from tests.attack.kit import attack, must
from tests.attack.target import Target


@attack
def secrets_in_the_log(target: Target) -> None:
    """Passwords, tokens, an administrator's password of a server and user data are in no log."""
    password, data = target.secret(), target.secret()
    encoded = base64.b64encode(data.encode()).decode()
    target.secrets.append(encoded)
    image = target.mallory.image()
    target.mallory.settled(target.mallory.booted(image, adminPass=password, user_data=encoded, config_drive=True))
    said = b"".join(path.read_bytes() for path in target.data_dir.glob("kilonova.log*"))
    told = [secret[:6] for secret in target.secrets if secret.encode() in said]
    must(not told, f"{len(told)} of {len(target.secrets)} secrets are in the log: {told}…")


@attack
def bugs_in_the_log(target: Target) -> None:
    """No attack came upon a bug: no traceback, no answer of 500."""
    said = b"".join(path.read_bytes() for path in target.data_dir.glob("kilonova.log*")).decode(errors="replace")
    lines = [
        line for line in said.splitlines() if "Traceback" in line or '"status": 500' in line or '"status":500' in line
    ]
    must(not lines, f"{len(lines)} lines, the first: {lines[0][:600] if lines else ''}")
