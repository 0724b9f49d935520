"""Somebody who may only read, and would rather fill the disk."""

from __future__ import annotations

from tests.attack.kit import attack, must
from tests.attack.target import Target

_ENOUGH = 200  # far more application credentials than anybody needs


@attack
def great_credentials(target: Target) -> None:
    """Application credentials of a megabyte each."""
    path = f"identity /users/{target.reader.user_id}/application_credentials"
    for field in ("description", "name"):
        body = {"application_credential": {"name": "x", field: "y" * 1_000_000}}
        answer = target.reader.send("POST", path, body)
        must(answer.status_code in (400, 413), f"a {field} of 1 MB: {answer.status_code}")


@attack
def many_credentials(target: Target) -> None:
    """Application credentials without end: there is a bound, and it says so."""
    path = f"identity /users/{target.reader.user_id}/application_credentials"
    for number in range(_ENOUGH):
        answer = target.reader.send("POST", path, {"application_credential": {"name": f"n{number}"}})
        if answer.status_code != 201:
            must(answer.status_code in (403, 409, 413), f"number {number}: {answer.status_code} {answer.text[:200]}")
            return
        target.secrets.append(answer.json()["application_credential"]["secret"])
    must(held=False, seen=f"{_ENOUGH} were made, and none refused")


@attack
def writing(target: Target) -> None:
    """What a reader may not do is refused."""
    for way, body in (
        ("compute /servers", {"server": {"name": "x", "flavorRef": "1", "imageRef": "", "networks": "none"}}),
        ("network /networks", {"network": {"name": "x"}}),
        ("image /images", {"name": "x"}),
    ):
        answer = target.reader.send("POST", way, body)
        must(answer.status_code in (400, 403), f"{way}: {answer.status_code}")
