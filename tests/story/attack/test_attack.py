"""`make attack` in its short form: the program itself, against a cloud in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.attack.kit import all_attacks

ROOT = Path(__file__).parents[3]


def test_the_cloud_holds() -> None:
    command = [sys.executable, "-m", "tests.attack", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-6000:]
    said = json.loads(done.stdout)
    assert said["fell"] == []
    assert said["held"] == said["tried"] == len(all_attacks())
