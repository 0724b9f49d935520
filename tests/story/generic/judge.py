"""What every answer must be, whatever was asked: never a bug, never a word about our insides."""

from __future__ import annotations

import re
from typing import Any

_INSIDES = re.compile(
    r"Traceback|File \"|\.py\b|sqlalchemy|sqlite|psycopg|msgspec|\bSELECT\b.*\bFROM\b|\bINSERT INTO\b|UNIQUE constraint"
    r"|object at 0x|<class '|kilonova\.(api|store|compute|identity|image|network|domain)\b",
    re.IGNORECASE | re.DOTALL,
)


def judge(answer: Any, about: object = "") -> None:
    """Fail unless the answer is one that a cloud may give to anything."""
    shown = (about, answer.status_code, answer.text[:600])
    assert answer.status_code < 500, shown
    assert "x-openstack-request-id" in answer.headers, shown
    if answer.status_code >= 400:
        assert len(answer.content) < 8192, shown
        assert not _INSIDES.search(answer.text), shown
        if answer.content:
            assert answer.headers["content-type"] == "application/json", shown
            answer.json()
