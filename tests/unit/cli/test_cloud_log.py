"""A log that is followed while it is written and set aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kilonova.cli.cloud_log import following, last_lines


class Script:
    """Does the next thing at each pause, and ends it all after the last."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self._acts = list(acts)

    def __call__(self) -> None:
        if not self._acts:
            raise KeyboardInterrupt
        self._acts.pop(0)()


def heard(path: Path, *acts: Callable[[], object]) -> str:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        said.extend(following(path, Script(*acts)))
    return "".join(said)


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_end_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert last_lines(path, 2) == ""
    write(path, "1\n2\n3\n")
    assert last_lines(path, 2) == "2\n3\n"
    assert last_lines(path, None) == "1\n2\n3\n"


def test_it_is_followed_over_files_that_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, "before\n")

    def rotate() -> None:
        write(path, "2\n")
        path.rename(tmp_path / "log.1")
        write(path, "3\n")

    assert heard(path, lambda: write(path, "1\n"), rotate, lambda: write(path, "4\n")) == "1\n2\n3\n4\n"


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert heard(path, lambda: None, lambda: write(path, "1\n")) == "1\n"
