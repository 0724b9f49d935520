from __future__ import annotations

import re
from pathlib import Path
from typing import get_type_hints

import msgspec

from kilonova.config.fleet import FleetConfig
from kilonova.config.load import load_config
from kilonova.config.sample import description, sample


def load(folder: Path, text: str) -> FleetConfig:
    path = folder / "kilonova.toml"
    path.write_text(text)
    return load_config(FleetConfig, path, {})


def test_the_sample_is_the_defaults_as_it_stands_and_with_every_key_told(tmp_path: Path) -> None:
    as_it_stands = load(tmp_path, sample())
    told = re.sub(r"^#(?!\w+_file\b)(\w+ = )", r"\1", sample(), flags=re.MULTILINE)
    assert told != sample()
    assert load(tmp_path, told) == as_it_stands
    assert as_it_stands.conductor == FleetConfig(database=as_it_stands.database, bus=as_it_stands.bus).conductor


def test_every_key_has_its_text_and_every_section_its_line() -> None:
    silent = []
    for name, section in get_type_hints(FleetConfig).items():
        hints = get_type_hints(section, include_extras=True)
        silent += [
            f"{name}.{field.name}" for field in msgspec.structs.fields(section) if not description(hints[field.name])
        ]
        assert section.__doc__
    assert silent == []
