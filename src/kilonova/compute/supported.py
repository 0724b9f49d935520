"""
Which extra specs and image properties this cloud does something about; the others are refused by name, until they are built.

`supported.json` beside this module is the table. A row names what does it (`by`: the module that reads it), and the scheduler's
`filter` where that is one that an operator can leave out. `values`, where given, are the only ones taken: those of a feature that
is not built are the ones that ask for what is so anyway. A name that ends in `*` stands for all that begin like it.

Extra specs: what is in a known namespace and in no row is not done. Names outside them all are an operator's own, for
aggregates. Image properties are anybody's, and describe; so only those that the table knows to ask for something are refused, at
boot, since images come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib import resources

import msgspec

from kilonova.compute.extra_specs import in_known_namespace
from kilonova.domain.errors import Rejected
from kilonova.domain.flavor import Flavor
from kilonova.domain.image import Image
from kilonova.scheduler.settings import ALWAYS, FILTERS

_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_SHOWN = 64  # characters of a value in a refusal


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of some names; without `by` nobody does them. `values` None: any."""

    names: tuple[str, ...]
    by: str = ""
    filter: str = ""
    values: tuple[str, ...] | None = None

    def takes(self, value: str) -> bool:
        """Whether a value asks for nothing that is not done."""
        plain = value.strip().lower()
        return self.values is None or ("false" if plain in _FALSE and "false" in self.values else plain) in self.values


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    extra_specs: tuple[Row, ...]
    image_properties: tuple[Row, ...]


_DECODER = msgspec.json.Decoder(Table)


@lru_cache(maxsize=1)
def table() -> Table:
    """What `supported.json` says."""
    text = resources.files("kilonova.compute").joinpath("supported.json").read_bytes()
    return _DECODER.decode(text)


class Supported:
    """The table as it holds for a cloud whose scheduler has these filters enabled."""

    def __init__(self, enabled_filters: Collection[str] = FILTERS) -> None:
        self._filters = frozenset((*ALWAYS, *enabled_filters))
        self._specs, self._properties = _by_name(table().extra_specs), _by_name(table().image_properties)

    def check_specs(self, specs: Mapping[str, str], where: str = "") -> None:
        """Raise Rejected for the first extra spec that nobody here does; `where` ends the sentence."""
        for name, value in specs.items():
            row = _row(self._specs, name)
            if row is None and not in_known_namespace(name):
                continue
            self._check(row, f"Extra spec '{name[:255]}'", value, where)

    def check_flavor(self, flavor: Flavor) -> None:
        """The same for one that was made before it was refused."""
        self.check_specs(flavor.extra_specs, f" of flavor {flavor.name}")

    def check_image(self, image: Image) -> None:
        """Raise Rejected for the first property of an image that asks for what nobody here does."""
        for name, value in image.properties.items():
            row = _row(self._properties, name)
            if row is not None:
                self._check(row, f"Property '{name[:255]}'", value, f" of image {image.id}")

    def _check(self, row: Row | None, what: str, value: str, where: str) -> None:
        if row is None or not row.takes(value):
            raise Rejected(
                f"{what} ({value[:_SHOWN]}){where} asks for what is not supported by this cloud yet.",
                next_step=_others(row),
            )
        if row.filter and row.filter not in self._filters:
            raise Rejected(
                f"{what}{where} is not supported by this cloud: its scheduler does without {row.filter}.",
                next_step=f"Have an operator add {row.filter} to enabled_filters, or do without it.",
            )


def _others(row: Row | None) -> str:
    values = row.values if row is not None else None
    return f"Do without it, or set it to {' or '.join(values)}." if values else "Do without it."


def _by_name(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {name: row for row in rows for name in row.names}


def _row(rows: Mapping[str, Row], name: str) -> Row | None:
    exact = rows.get(name)
    if exact is not None:
        return exact
    # A family's name ends where its last mark stands: `trait:*`, `hw_numa_cpus.*`.
    for mark in (":", "."):
        head, found, _ = name.partition(mark)
        if found and (row := rows.get(f"{head}{mark}*")) is not None:
            return row
    return None
